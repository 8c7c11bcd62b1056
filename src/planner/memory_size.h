#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace carat::planner {

// "16GiB", "16 GB", "512MiB", "1.5 GiB": a number and its unit, GiB of 2^30 bytes, GB of 10^9; up to 1024
// TiB. kUsage, beginning with `what`, for anything else: a number without a unit would leave 7 % open.
Result<std::uint64_t> parse_memory_size(std::string_view what, std::string_view text);

}  // namespace carat::planner
