#pragma once

#include <string>
#include <string_view>

namespace carat::terminal {

// Text from a model, a file or a file name that is about to be shown on a terminal. What a terminal would
// obey becomes U+FFFD: control characters (escape sequences begin with one), their 8-bit forms
// U+0080..U+009F, and the marks that reorder a line (bidirectional embeddings, overrides and isolates).
// Invalid UTF-8 becomes U+FFFD too. Newlines and tabs stay; "\r\n" is a newline. A text may be given in
// parts, of whole characters.
std::string printable_text(std::string_view text);

// The same for one line, such as a file name in a message: newlines and tabs become U+FFFD as well.
std::string printable_line(std::string_view text);

}  // namespace carat::terminal
