#pragma once

#include <string>
#include <string_view>

namespace carat::terminal {

// UTF-8 to code points and back, whatever the locale, for libedit. What is invalid becomes U+FFFD.
std::wstring to_wide(std::string_view text);
std::string to_utf8(std::wstring_view text);

}  // namespace carat::terminal
