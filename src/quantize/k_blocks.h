#pragma once

#include <cstddef>
#include <span>

namespace carat::quantize {

// Blocks of 256 values with small integer scales for their parts, which are themselves rounded: both the
// fitted and the plain scales of the parts are carried through that rounding, and the better block is
// written. False when the block's f16 scale overflows.
bool encode_q4_k(std::span<const float> x, std::span<const float> importance, std::byte* out);
bool encode_q6_k(std::span<const float> x, std::span<const float> importance, std::byte* out);

}  // namespace carat::quantize
