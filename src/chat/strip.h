#pragma once

#include <string_view>

namespace carat::chat {

// `text` without the white space at both ends, in Unicode's sense: what Python's str.strip() and so the
// reference's chat template remove.
std::string_view strip(std::string_view text);

}  // namespace carat::chat
