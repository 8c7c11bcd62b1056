#pragma once

// Random weights in every stored type, for tests.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <ostream>
#include <random>
#include <span>
#include <vector>

#include "tensor/dequantize.h"
#include "tensor/element_type.h"
#include "tensor/half.h"

namespace carat::tensor {

inline std::array<ElementType, kElementTypeCount> all_element_types() {
  std::array<ElementType, kElementTypeCount> types = {};
  for (std::size_t i = 0; i < types.size(); ++i) types[i] = static_cast<ElementType>(i);
  return types;
}

// For GoogleTest: the type's name instead of its bytes.
inline std::ostream& operator<<(std::ostream& out, ElementType type) { return out << info(type).name; }

inline bool is_float_type(ElementType type) { return info(type).block_values == 1; }

// A matrix as a file holds it, row after row.
struct StoredRows {
  ElementType type = ElementType::kF32;
  std::size_t columns = 0;
  std::vector<std::byte> bytes;
  std::vector<float> row_scales = {};  // [rows] in row-scaled types

  std::size_t row_bytes() const { return columns / info(type).block_values * info(type).block_bytes; }
  std::size_t count() const { return bytes.size() / row_bytes(); }
  std::span<const std::byte> rows(std::size_t first, std::size_t how_many) const {
    return std::span(bytes).subspan(first * row_bytes(), how_many * row_bytes());
  }
  std::span<const float> scales(std::size_t first, std::size_t how_many) const {
    return row_scales.empty() ? std::span<const float>() : std::span(row_scales).subspan(first, how_many);
  }
  // Row `row` decoded.
  std::vector<float> values(std::size_t row) const {
    std::vector<float> out(columns);
    dequantize(type, rows(row, 1), out);
    apply_row_scales(scales(row, 1), out);
    return out;
  }
};

constexpr std::size_t kNoField = std::numeric_limits<std::size_t>::max();

// Where the f16 scale and, in the types that have one, the f16 min of a quantized block lie.
struct HalfFields {
  std::size_t scale = kNoField;
  std::size_t min = kNoField;
};
inline HalfFields half_fields(ElementType type) {
  switch (type) {
    using enum ElementType;
    case kQ4_0:
    case kQ5_0:
    case kQ8_0:
    case kIQ4_NL:
    case kIQ4_XS: return {0, kNoField};
    case kQ4_1:
    case kQ5_1:
    case kQ4_K:
    case kQ5_K: return {0, 2};
    case kQ2_K: return {80, 82};
    case kQ3_K: return {108, kNoField};
    case kQ6_K: return {208, kNoField};
    case kInt4:
    case kSFP8:
    case kF32:
    case kF16:
    case kBF16: return {};
  }
  return {};
}

enum class Magnitudes {
  kOrdinary,  // scales around 2^-6, elements around 1, of either sign
  kAnyFinite
};

// A half of either sign, not infinite and not NaN.
inline std::uint16_t random_half(std::mt19937_64& random, Magnitudes magnitudes) {
  for (;;) {
    const auto half = static_cast<std::uint16_t>(random());
    const int exponent = (half >> 10) & 31;
    if (magnitudes == Magnitudes::kAnyFinite ? exponent != 31 : exponent >= 7 && exponent <= 10) return half;
  }
}

inline float random_f32(std::mt19937_64& random, Magnitudes magnitudes) {
  if (magnitudes == Magnitudes::kOrdinary) return std::normal_distribution<float>()(random);
  for (;;) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (value - value == 0.0F) return value;
  }
}

inline void store_half(std::byte* at, std::uint16_t half) { std::memcpy(at, &half, sizeof half); }

// Every code and every small scale a type can hold occurs, since those bytes are random.
inline StoredRows random_stored_rows(ElementType type, std::size_t rows, std::size_t columns,
                                     std::uint64_t seed, Magnitudes magnitudes = Magnitudes::kOrdinary) {
  std::mt19937_64 random(seed);
  StoredRows stored = {type, columns, {}, {}};
  stored.bytes.resize(rows * stored.row_bytes());
  for (std::byte& byte : stored.bytes) byte = static_cast<std::byte>(random());
  const std::size_t block = info(type).block_bytes;
  const HalfFields fields = half_fields(type);
  for (std::size_t at = 0; at < stored.bytes.size(); at += block) {
    std::byte* const bytes = stored.bytes.data() + at;
    if (type == ElementType::kF32) {
      const float value = random_f32(random, magnitudes);
      std::memcpy(bytes, &value, sizeof value);
    } else if (type == ElementType::kF16) {
      const std::uint16_t any = random_half(random, magnitudes);
      store_half(bytes,
                 magnitudes == Magnitudes::kAnyFinite ? any : f32_to_f16(random_f32(random, magnitudes)));
    } else if (type == ElementType::kBF16) {
      // Cut, not rounded: the largest floats must not become infinite.
      const auto bits = std::bit_cast<std::uint32_t>(random_f32(random, magnitudes));
      store_half(bytes, static_cast<std::uint16_t>(bits >> 16));
    } else if (type == ElementType::kSFP8) {
      if (*bytes == std::byte{0x80}) *bytes = std::byte{0};
    } else if (type != ElementType::kInt4) {
      store_half(bytes + fields.scale, random_half(random, magnitudes));
      if (fields.min != kNoField) store_half(bytes + fields.min, random_half(random, magnitudes));
    }
  }
  if (info(type).row_scaled) {
    for (std::size_t r = 0; r < rows; ++r) {
      stored.row_scales.push_back(f16_to_f32(random_half(random, magnitudes)));
    }
  }
  return stored;
}

}  // namespace carat::tensor
