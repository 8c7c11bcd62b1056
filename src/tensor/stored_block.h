#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tensor/element_type.h"

namespace carat::tensor {

// One quantized block of a file taken apart: value[c] = scale * (code[c] - offset) + min, where the f16 scale
// and min are multiplied by the small integers of c's sub-block in the K types. Offsets are those of
// PanelLayout::code_offset.
// In a row-scaled type there is no scale but the row's.
struct StoredBlock {
  std::array<std::uint8_t, 256> codes;
  std::array<std::int8_t, 16> sub_scales;
  std::array<std::int8_t, 16> sub_mins;
  std::uint16_t scale = 0;  // f16 bits
  std::uint16_t min = 0;    // f16 bits, added: where the file subtracts a minimum its sign is turned
};

// `stored` holds one block of an integer `type`.
void read_stored_block(ElementType type, const std::byte* stored, StoredBlock& block);

}  // namespace carat::tensor
