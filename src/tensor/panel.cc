#include "tensor/panel.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/checked_math.h"
#include "tensor/half.h"
#include "tensor/sfp8.h"
#include "tensor/stored_block.h"

namespace carat::tensor {
namespace {

using enum ElementType;

constexpr std::size_t kQuads = 8;         // of 4 columns, in 32
constexpr std::size_t kVectorBytes = 64;  // 16 rows x 4 columns of bytes

struct IntFormat {
  unsigned low_bits, high_bits, code_offset;
  bool table_codes, has_min, has_sub;
  std::size_t block, scale_columns;
};

IntFormat int_format(ElementType type) {
  switch (type) {
    case kQ4_0: return {4, 0, 8, false, false, false, 32, 32};
    case kQ4_1: return {4, 0, 0, false, true, false, 32, 32};
    case kQ5_0: return {4, 1, 16, false, false, false, 32, 32};
    case kQ5_1: return {4, 1, 0, false, true, false, 32, 32};
    case kQ8_0: return {8, 0, 128, false, false, false, 32, 32};
    case kQ2_K: return {2, 0, 0, false, true, true, 16, 256};
    case kQ3_K: return {2, 1, 4, false, false, true, 16, 256};
    case kQ4_K: return {4, 0, 0, false, true, true, 32, 256};
    case kQ5_K: return {4, 1, 0, false, true, true, 32, 256};
    case kQ6_K: return {4, 2, 32, false, false, true, 16, 256};
    case kIQ4_NL: return {4, 0, 0, true, false, false, 32, 32};
    case kIQ4_XS: return {4, 0, 0, true, false, true, 32, 256};
    case kInt4: return {4, 0, 8, false, false, false, 32, 0};
    case kF32:
    case kF16:
    case kBF16:
    case kSFP8: break;
  }
  CARAT_CHECK(false);
}

std::uint16_t load_u16(const std::byte* at) {
  std::uint16_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void store_u16(std::byte* at, std::uint16_t value) { std::memcpy(at, &value, sizeof value); }

bool is_finite_f16(std::uint16_t half) { return (half & 0x7C00U) != 0x7C00U; }

std::uint32_t load_quad(const std::uint8_t* codes, std::size_t quad) {
  std::uint32_t four = 0;
  std::memcpy(&four, codes + 4 * quad, 4);
  return four;
}

void store_quad(std::byte* plane, std::size_t vector, std::size_t row, std::uint32_t four) {
  std::memcpy(plane + vector * kVectorBytes + 4 * row, &four, 4);
}

// The bit pairs of quads 4v .. 4v+3 in vector v; a code's pair starts at bit `from`.
void store_bit_pairs(const std::uint8_t* codes, unsigned from, std::size_t row, std::byte* plane) {
  for (std::size_t vector = 0; vector < 2; ++vector) {
    std::uint32_t pairs = 0;
    for (std::size_t q = 0; q < 4; ++q) {
      pairs |= ((load_quad(codes, 4 * vector + q) >> from) & 0x03030303U) << (2 * q);
    }
    store_quad(plane, vector, row, pairs);
  }
}

// Puts the 32 codes of one group of columns of one row into the low and high planes of that group.
void store_codes(const PanelLayout& layout, const std::uint8_t* codes, std::size_t row, std::byte* low,
                 std::byte* high) {
  if (layout.low_bits == 8) {
    for (std::size_t q = 0; q < kQuads; ++q) store_quad(low, q, row, load_quad(codes, q));
  } else if (layout.low_bits == 4) {
    for (std::size_t v = 0; v < 4; ++v) {
      const std::uint32_t high_nibbles = (load_quad(codes, v + 4) & 0x0F0F0F0FU) << 4;
      store_quad(low, v, row, (load_quad(codes, v) & 0x0F0F0F0FU) | high_nibbles);
    }
  } else {
    store_bit_pairs(codes, 0, row, low);
  }
  if (layout.high_bits == 1) {
    std::uint32_t bits = 0;
    for (std::size_t q = 0; q < kQuads; ++q)
      bits |= ((load_quad(codes, q) >> layout.low_bits) & 0x01010101U) << q;
    store_quad(high, 0, row, bits);
  } else if (layout.high_bits == 2) {
    store_bit_pairs(codes, layout.low_bits, row, high);
  }
}

// The code of one column of one row.
unsigned load_code(const PanelLayout& layout, const std::byte* panel, std::size_t column, std::size_t row) {
  const std::size_t group = column / 32;
  const std::size_t quad = column % 32 / 4;
  // `bits` at `shift` of the row's byte in a vector of a plane that has `plane_bits` vectors a group.
  const auto field = [&](const std::byte* plane, unsigned plane_bits, std::size_t vector, std::size_t shift) {
    const std::byte byte = plane[(group * plane_bits + vector) * kVectorBytes + 4 * row + column % 4];
    return (static_cast<unsigned>(byte) >> shift) & ((1U << plane_bits) - 1);
  };
  unsigned code = 0;
  if (layout.low_bits == 8) code = field(panel, 8, quad, 0);
  if (layout.low_bits == 4) code = field(panel, 4, quad % 4, quad < 4 ? 0 : 4);
  if (layout.low_bits == 2) code = field(panel, 2, quad / 4, 2 * (quad % 4));
  const std::byte* high = panel + layout.high_at;
  if (layout.high_bits == 1) code |= field(high, 1, 0, quad) << layout.low_bits;
  if (layout.high_bits == 2) code |= field(high, 2, quad / 4, 2 * (quad % 4)) << layout.low_bits;
  return code;
}

bool pack_int_row(const PanelLayout& layout, const std::byte* stored, std::size_t row, std::byte* panel) {
  const ElementTypeInfo& type = info(layout.type);
  StoredBlock block;
  for (std::size_t column = 0; column < layout.columns; column += type.block_values) {
    read_stored_block(layout.type, stored, block);
    stored += type.block_bytes;
    if (!is_finite_f16(block.scale) || !is_finite_f16(block.min)) return false;
    if (!layout.row_scaled) {
      const std::size_t scale_lane = (column / layout.scale_columns * kPanelRows + row) * 2;
      store_u16(panel + layout.scale_at + scale_lane, block.scale);
      if (layout.has_min) store_u16(panel + layout.min_at + scale_lane, block.min);
    }
    if (layout.has_sub) {
      for (std::size_t sub = 0; sub < type.block_values / layout.block; ++sub) {
        const std::size_t lane = (column / layout.block + sub) * kPanelRows + row;
        panel[layout.sub_at + lane] = static_cast<std::byte>(block.sub_scales[sub]);
        if (layout.has_min) panel[layout.sub_min_at + lane] = static_cast<std::byte>(block.sub_mins[sub]);
      }
    }
    for (std::size_t group = 0; group < type.block_values / 32; ++group) {
      const std::size_t index = column / 32 + group;
      store_codes(layout, block.codes.data() + 32 * group, row,
                  panel + index * layout.low_bits * kVectorBytes,
                  panel + layout.high_at + index * layout.high_bits * kVectorBytes);
    }
  }
  return true;
}

bool pack_float_row(const PanelLayout& layout, const std::byte* stored, std::size_t row, std::byte* panel) {
  for (std::size_t c = 0; c < layout.columns; ++c) {
    if (layout.type == kSFP8) {
      if (stored[c] == std::byte{0x80}) return false;
      panel[c / 4 * kVectorBytes + sfp8_place(row, c % 4)] = stored[c];
    } else if (layout.type == kF32) {
      float value = 0;
      std::memcpy(&value, stored + 4 * c, 4);
      if (!std::isfinite(value)) return false;
      std::memcpy(panel + (c * kPanelRows + row) * 4, &value, 4);
    } else {
      const std::uint16_t value = load_u16(stored + 2 * c);
      const std::uint16_t exponent = layout.type == kF16 ? 0x7C00 : 0x7F80;
      if ((value & exponent) == exponent) return false;
      const std::size_t lane =
          layout.type == kF16 ? c * kPanelRows + row : (c / 2 * kPanelRows + row) * 2 + c % 2;
      store_u16(panel + 2 * lane, value);
    }
  }
  return true;
}

float unpack_float(const PanelLayout& layout, const std::byte* panel, std::size_t column, std::size_t row) {
  if (layout.type == kF32) {
    float value = 0;
    std::memcpy(&value, panel + (column * kPanelRows + row) * 4, 4);
    return value;
  }
  if (layout.type == kSFP8) {
    const std::byte code = panel[column / 4 * kVectorBytes + sfp8_place(row, column % 4)];
    return sfp8_to_f32(static_cast<std::uint8_t>(code));
  }
  if (layout.type == kF16) return f16_to_f32(load_u16(panel + (column * kPanelRows + row) * 2));
  return bf16_to_f32(load_u16(panel + ((column / 2 * kPanelRows + row) * 2 + column % 2) * 2));
}

float unpack_int(const PanelLayout& layout, const std::byte* panel, std::size_t column, std::size_t row) {
  const unsigned code = load_code(layout, panel, column, row);
  const int value =
      layout.table_codes ? kIq4Values[code] : static_cast<int>(code) - static_cast<int>(layout.code_offset);
  if (layout.row_scaled) return static_cast<float>(value);
  const std::size_t scale_lane = (column / layout.scale_columns * kPanelRows + row) * 2;
  float scale = f16_to_f32(load_u16(panel + layout.scale_at + scale_lane));
  float min = layout.has_min ? f16_to_f32(load_u16(panel + layout.min_at + scale_lane)) : 0.0F;
  if (layout.has_sub) {
    const std::size_t lane = column / layout.block * kPanelRows + row;
    scale *= static_cast<float>(static_cast<std::int8_t>(panel[layout.sub_at + lane]));
    if (layout.has_min) min *= static_cast<float>(static_cast<std::int8_t>(panel[layout.sub_min_at + lane]));
  }
  return scale * static_cast<float>(value) + min;
}

// Ends the panel behind `bytes` of everything else.
void add_row_scales(PanelLayout& layout, std::size_t bytes) {
  layout.row_scale_at = round_up(bytes, kVectorBytes);
  layout.bytes = layout.row_scale_at + (layout.row_scaled ? kPanelRows * sizeof(float) : 0);
}

}  // namespace

PanelLayout panel_layout(ElementType type, std::size_t columns) {
  CARAT_CHECK(columns % info(type).block_values == 0);
  PanelLayout layout;
  layout.type = type;
  layout.columns = columns;
  layout.row_scaled = info(type).row_scaled;
  layout.is_float = info(type).block_values == 1;
  if (layout.is_float) {
    const std::size_t padded = type == kBF16   ? round_up(columns, 2)
                               : type == kSFP8 ? round_up(columns, 4)
                                               : columns;
    add_row_scales(layout, padded * kPanelRows * info(type).block_bytes);
    return layout;
  }
  const IntFormat format = int_format(type);
  layout.low_bits = format.low_bits;
  layout.high_bits = format.high_bits;
  layout.code_offset = format.code_offset;
  layout.table_codes = format.table_codes;
  layout.has_min = format.has_min;
  layout.has_sub = format.has_sub;
  layout.block = format.block;
  layout.scale_columns = format.scale_columns;
  const std::size_t groups = columns / 32;
  const std::size_t scale_bytes = layout.row_scaled ? 0 : columns / layout.scale_columns * kPanelRows * 2;
  const std::size_t sub_bytes = layout.has_sub ? columns / layout.block * kPanelRows : 0;
  layout.high_at = groups * layout.low_bits * kVectorBytes;
  layout.scale_at = layout.high_at + groups * layout.high_bits * kVectorBytes;
  layout.min_at = layout.scale_at + scale_bytes;
  layout.sub_at = layout.min_at + (layout.has_min ? scale_bytes : 0);
  layout.sub_min_at = layout.sub_at + sub_bytes;
  add_row_scales(layout, layout.sub_min_at + (layout.has_min ? sub_bytes : 0));
  return layout;
}

bool pack_panel(const PanelLayout& layout, std::span<const std::byte> rows, std::size_t row_count,
                std::span<const float> row_scales, std::span<std::byte> panel) {
  const std::size_t stride = layout.columns / info(layout.type).block_values * info(layout.type).block_bytes;
  CARAT_CHECK(row_count <= kPanelRows && rows.size() == row_count * stride && panel.size() >= layout.bytes);
  CARAT_CHECK(row_scales.size() == (layout.row_scaled ? row_count : 0));
  std::memset(panel.data(), 0, layout.bytes);
  for (std::size_t row = 0; row < row_count; ++row) {
    const std::byte* stored = rows.data() + row * stride;
    const bool finite = layout.is_float ? pack_float_row(layout, stored, row, panel.data())
                                        : pack_int_row(layout, stored, row, panel.data());
    if (!finite || (layout.row_scaled && !std::isfinite(row_scales[row]))) return false;
  }
  if (layout.row_scaled)
    std::memcpy(panel.data() + layout.row_scale_at, row_scales.data(), row_scales.size_bytes());
  return true;
}

void unpack_row(const PanelLayout& layout, std::span<const std::byte> panel, std::size_t row,
                std::span<float> out) {
  CARAT_CHECK(row < kPanelRows && out.size() == layout.columns && panel.size() >= layout.bytes);
  for (std::size_t column = 0; column < layout.columns; ++column) {
    out[column] = layout.is_float ? unpack_float(layout, panel.data(), column, row)
                                  : unpack_int(layout, panel.data(), column, row);
  }
  if (!layout.row_scaled) return;
  float scale = 0;
  std::memcpy(&scale, panel.data() + layout.row_scale_at + row * sizeof(float), sizeof scale);
  for (float& value : out) value *= scale;
}

}  // namespace carat::tensor
