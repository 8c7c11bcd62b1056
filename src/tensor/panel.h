#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/element_type.h"

namespace carat::tensor {

// Packed weights come in panels of 16 rows: a vector then holds the same columns of all 16 rows, sums stay in
// their lanes, and one layout serves every instruction set. Rows beyond the matrix are zeros.
inline constexpr std::size_t kPanelRows = 16;

// Where the parts of one panel lie. Packing is lossless and keeps the bits of the file, so a panel is as
// large as its 16 rows, at most 1.03 times; Q3_K takes 1.04 times and Q2_K 1.19, because their 6- and 4-bit
// sub-scales become bytes. Parts are planes over the whole panel:
//
// Integer types, value = scale * (code - code_offset) + min:
//   low      [columns / 32][low_bits * 64 bytes]   the low bits of the codes of 32 columns
//   high     [columns / 32][high_bits * 64 bytes]  the bits above
//   scale    [columns / scale_columns][16] f16
//   min      [columns / scale_columns][16] f16     where has_min
//   sub      [columns / block][16] i8              where has_sub: scale = f16 scale * sub
//   sub_min  [columns / block][16] i8              where has_sub and has_min: min = f16 min * sub_min
// 32 columns are 8 quads of 4; byte 4 * row + c of a 64-byte vector belongs to column c of the quad.
//   8 low bits: vector q is quad q
//   4 low bits: vector v holds quad v in its low nibbles and quad v + 4 in its high ones
//   2 low bits: vector v holds quads 4v .. 4v+3, from the lowest bit pair up
//   1 high bit: bit q of a byte belongs to quad q;   2 high bits: as 2 low bits
//
// Float types, value = element:
//   F32, F16  [columns][16]
//   BF16      [columns / 2][16][2], padded to an even number of columns
//   SFP8      [columns / 4][64 bytes], padded to a multiple of 4; sfp8_place() says where a row's bytes lie
//
// Row-scaled types, integer or float, have 16 f32 scales behind the codes and no scales of blocks.
struct PanelLayout {
  ElementType type = ElementType::kF32;
  std::size_t columns = 0;

  bool is_float = false;
  unsigned low_bits = 0;
  unsigned high_bits = 0;
  unsigned code_offset = 0;  // a power of two, or 0
  bool table_codes = false;  // codes index kIq4Values; code_offset does not apply
  bool has_min = false;
  bool has_sub = false;
  bool row_scaled = false;
  std::size_t block = 0;          // columns that share a scale: 16 or 32
  std::size_t scale_columns = 0;  // columns that share an f16 scale: 32 or 256; 0: the row shares one

  std::size_t high_at = 0;  // bytes from the start of the panel
  std::size_t scale_at = 0;
  std::size_t min_at = 0;
  std::size_t sub_at = 0;
  std::size_t sub_min_at = 0;
  std::size_t row_scale_at = 0;
  std::size_t bytes = 0;  // of one panel, a multiple of 64
};

// The values of 4-bit table types (IQ4_NL, IQ4_XS).
inline constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

// Byte of row `row` and column `column` (< 4) in 64 bytes of SFP8 codes: when a kernel interleaves the high
// and low halves of their bfloat16 forms, each 32-bit lane is then two columns of one row, as in a BF16
// panel.
constexpr std::size_t sfp8_place(std::size_t row, std::size_t column) {
  return row / 4 * 16 + column / 2 * 8 + row % 4 * 2 + column % 2;
}

// columns must be a multiple of the type's block.
PanelLayout panel_layout(ElementType type, std::size_t columns);

// Packs up to 16 rows, `rows` holding `row_count` of them one after another as the file stores them, and
// `row_scales` their scales in row-scaled types. False when a scale or element is not finite or is SFP8's
// reserved byte 0x80.
bool pack_panel(const PanelLayout& layout, std::span<const std::byte> rows, std::size_t row_count,
                std::span<const float> row_scales, std::span<std::byte> panel);

// Decodes row `row` (< 16) of a panel into out [columns].
void unpack_row(const PanelLayout& layout, std::span<const std::byte> panel, std::size_t row,
                std::span<float> out);

}  // namespace carat::tensor
