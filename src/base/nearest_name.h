#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace carat {

// The known name that `name` was probably meant to be: the one fewest edits away (insert, delete, replace,
// swap of neighbours; case, '-' and '_' do not count), if that is at most a third of the name. For "did you
// mean".
std::optional<std::string_view> nearest_name(std::string_view name, std::span<const std::string_view> known);

}  // namespace carat
