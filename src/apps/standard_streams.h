#pragma once

namespace carat::apps {

// Opens /dev/null as those of standard input, output and error that the caller left closed, as `carat run
// <&-` does. Otherwise the next file that is opened, a model perhaps, would pass for one of them. Standard
// output and error are opened so that writing to them fails, as it does when they are closed. To be called
// before anything else is opened.
void open_missing_standard_streams();

}  // namespace carat::apps
