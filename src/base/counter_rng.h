#pragma once

#include <array>
#include <cstdint>

namespace carat {

// Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): a bijection of the
// 128-bit counter for each 64-bit key that passes as random. Having no state, it gives number n of a stream
// without computing those before, so that drawing again after a roll-back draws the same.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// Draw `index` of the stream that `seed` names: uniform in [0, 1), a multiple of 2^-53.
double uniform_draw(std::uint64_t seed, std::uint64_t index);

}  // namespace carat
