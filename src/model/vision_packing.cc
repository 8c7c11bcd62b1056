#include "model/vision_packing.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/byte_source.h"
#include "base/check.h"
#include "tensor/half.h"

namespace carat::model {
namespace {

using tensor::ElementType;

constexpr std::size_t kQ8Values = 32;

void put_u16(std::uint16_t value, std::byte* out) { std::memcpy(out, &value, sizeof value); }

// One block of Q8_0: an f16 scale and 32 codes, rounded to the nearest. The scale is rounded first, so that
// the codes make up for its error.
void encode_q8_0(const float* values, std::byte* out) {
  float largest = 0.0F;
  for (std::size_t i = 0; i < kQ8Values; ++i) largest = std::max(largest, std::fabs(values[i]));
  const std::uint16_t scale = tensor::f32_to_f16(largest / 127.0F);
  const float step = tensor::f16_to_f32(scale);
  put_u16(scale, out);
  for (std::size_t i = 0; i < kQ8Values; ++i) {
    const float code = step > 0.0F ? std::clamp(std::nearbyint(values[i] / step), -127.0F, 127.0F) : 0.0F;
    out[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(code));
  }
}

std::vector<std::byte> encode(std::span<const float> values, ElementType type) {
  const tensor::ElementTypeInfo& layout = tensor::info(type);
  std::vector<std::byte> bytes(values.size() / layout.block_values * layout.block_bytes);
  switch (type) {
    case ElementType::kF32: std::memcpy(bytes.data(), values.data(), bytes.size()); break;
    case ElementType::kBF16:
      for (std::size_t i = 0; i < values.size(); ++i) {
        put_u16(tensor::f32_to_bf16(values[i]), bytes.data() + i * sizeof(std::uint16_t));
      }
      break;
    case ElementType::kQ8_0:
      for (std::size_t i = 0; i < values.size() / kQ8Values; ++i) {
        encode_q8_0(values.data() + i * kQ8Values, bytes.data() + i * layout.block_bytes);
      }
      break;
    default: CARAT_CHECK(false);
  }
  return bytes;
}

}  // namespace

backend::Rounding linear_rounding(VisionPrecision precision) {
  return precision == VisionPrecision::kF32 ? backend::Rounding::kF32 : backend::Rounding::kBf16;
}

backend::Rounding attention_rounding(VisionPrecision precision) {
  return precision == VisionPrecision::kInt8 ? backend::Rounding::kInt8 : linear_rounding(precision);
}

void VisionMatrix::scale(float factor) {
  for (float& value : values) value *= factor;
  for (float& value : bias) value *= factor;
}

void VisionMatrix::transpose() {
  CARAT_CHECK(bias.empty());
  std::vector<float> turned(values.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) turned[c * rows + r] = values[r * columns + c];
  }
  values = std::move(turned);
  std::swap(rows, columns);
}

void VisionMatrix::append_rows(std::size_t count) {
  rows += count;
  values.resize(rows * columns);
  if (!bias.empty()) bias.resize(rows);
}

void VisionMatrix::append_columns(std::size_t count) {
  if (count == 0) return;
  const std::size_t wide = columns + count;
  std::vector<float> padded(rows * wide);
  for (std::size_t r = 0; r < rows; ++r) {
    std::copy_n(values.data() + r * columns, columns, padded.data() + r * wide);
  }
  values = std::move(padded);
  columns = wide;
}

Result<std::unique_ptr<backend::Linear>> pack(backend::Backend& backend, const VisionMatrix& matrix,
                                              ElementType type) {
  CARAT_CHECK(matrix.columns % tensor::info(type).block_values == 0);
  const auto source = memory_source(matrix.name, encode(matrix.values, type));
  return backend.pack({.name = matrix.name,
                       .source = source.get(),
                       .offset = 0,
                       .type = type,
                       .rows = matrix.rows,
                       .columns = matrix.columns},
                      matrix.bias);
}

}  // namespace carat::model
