#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace carat {

// The known name that `name` was probably meant to be: the one fewest edits away (insert, delete, replace,
// swap of neighbours; case, '-' and '_' do not count), if that is at most a third of the name. For "did you
// mean".
std::optional<std::string_view> nearest_name(std::string_view name, std::span<const std::string_view> known);

// Those that `name` may have been meant to be, at most `most`, the nearest first: names that it begins, and
// then those that nearest_name would take.
std::vector<std::string_view> nearest_names(std::string_view name, std::span<const std::string_view> known,
                                            std::size_t most = 3);

// "did you mean 'a'?", "did you mean 'a', 'b' or 'c'?"; empty for none. With a separator before it.
std::string did_you_mean(const std::vector<std::string_view>& names, std::string_view separator = "; ");

}  // namespace carat
