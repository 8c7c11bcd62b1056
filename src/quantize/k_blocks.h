#pragma once

#include <cstddef>
#include <span>

#include "quantize/part_encoder.h"

namespace carat::quantize {

// Blocks of 256 values with small integer scales for their parts, which are themselves rounded: both the
// fitted and the plain scales of the parts are carried through that rounding, and the better block is
// written. False when the f16 scale of a block overflows.

// One or two blocks, 8 parts of 32 each.
bool encode_q4_k(PartEncoder& parts, std::span<std::byte> out);
// One block, 16 parts of 16.
bool encode_q6_k(PartEncoder& parts, std::span<std::byte> out);

}  // namespace carat::quantize
