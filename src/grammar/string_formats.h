#pragma once

#include <optional>
#include <string_view>

namespace carat::grammar {

// A pattern whose texts all have the format, though not every text of the format has it; nullopt for formats
// that are not known.
std::optional<std::string_view> pattern_of_format(std::string_view format);

}  // namespace carat::grammar
