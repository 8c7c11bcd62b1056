#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace carat::config {

// The line, from 1, of the first byte beyond ASCII that stands outside quotes and comments, where TOML has no
// use for one. toml++ 3.3 must not see it: on most such characters is_non_ascii_horizontal_whitespace() runs
// into __builtin_unreachable().
std::optional<std::size_t> line_of_bare_non_ascii(std::string_view toml);

}  // namespace carat::config
