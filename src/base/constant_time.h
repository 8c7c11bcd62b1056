#pragma once

#include <cstddef>
#include <span>

namespace carat {

// Whether two secrets, or their hashes, are the same. Takes as long wherever the first difference is, so that
// nobody finds a secret byte by byte with a stop-watch; only the lengths may show.
bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b);

}  // namespace carat
