#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <vector>

#include "backend/reference/ops.h"
#include "base/check.h"
#include "tensor/dequantize.h"

namespace carat::backend::reference {
namespace {

using tensor::ElementType;
using tensor::kKvBlockTokens;
using tensor::KvShape;
using tensor::KvType;

// Both conversions round to nearest, ties to even. What a half cannot hold becomes its largest number.
std::uint16_t f16_bits(float value) {
  const int sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7e00);
  const double magnitude = std::fabs(value);
  if (magnitude >= 65504.0) return static_cast<std::uint16_t>(sign | 0x7bff);
  // In units of the last place: 1024..2048 for normal numbers, less for subnormal ones, whose exponent is
  // -14.
  const int exponent = magnitude < 0x1p-14 ? -14 : std::ilogb(magnitude);
  const int units = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  // Adding instead of or-ing lets 2048 units carry into the exponent, and 1024 subnormal ones become normal.
  return static_cast<std::uint16_t>(sign | (((exponent + 14) << 10) + units));
}

std::uint16_t bf16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

void store_element(KvType type, std::byte* block, std::size_t index, float value) {
  std::byte* const at = block + index * kv_type_bytes(type);
  if (type == KvType::kF32) {
    std::memcpy(at, &value, sizeof value);
    return;
  }
  const std::uint16_t bits = type == KvType::kF16 ? f16_bits(value) : bf16_bits(value);
  std::memcpy(at, &bits, sizeof bits);
}

double load_element(KvType type, const std::byte* block, std::size_t index) {
  static constexpr std::array kElementTypes = {ElementType::kF32, ElementType::kF16, ElementType::kBF16};
  const std::size_t bytes = kv_type_bytes(type);
  float value = 0.0F;
  dequantize(kElementTypes[static_cast<std::size_t>(type)], {block + index * bytes, bytes}, {&value, 1});
  return value;
}

// The block that holds `position`, with this layer's share at its start.
std::byte* block_of(const KvLayer& cache, std::size_t position) {
  const std::size_t index = position / kKvBlockTokens;
  CARAT_CHECK(index < cache.blocks.size() && cache.blocks[index] != nullptr);
  return cache.block(index);
}

// One query head over keys and values [range.begin, range.end) of one KV head.
void attend(std::span<const float> query, const KvLayer& cache, std::size_t kv_head, KeyRange range,
            std::span<float> out) {
  const KvShape& shape = cache.shape;
  std::vector<double> weights;
  double largest = -std::numeric_limits<double>::infinity();
  for (std::size_t position = range.begin; position < range.end; ++position) {
    const std::byte* const block = block_of(cache, position);
    double score = 0.0;
    for (std::size_t d = 0; d < query.size(); ++d) {
      score +=
          query[d] * load_element(shape.type, block, shape.key_index(kv_head, position % kKvBlockTokens, d));
    }
    weights.push_back(score);
    largest = std::max(largest, score);
  }
  double total = 0.0;
  for (double& weight : weights) {
    weight = std::exp(weight - largest);
    total += weight;
  }
  for (std::size_t d = 0; d < out.size(); ++d) {
    double sum = 0.0;
    for (std::size_t position = range.begin; position < range.end; ++position) {
      sum += weights[position - range.begin] *
             load_element(shape.type, block_of(cache, position),
                          shape.value_index(kv_head, position % kKvBlockTokens, d));
    }
    out[d] = static_cast<float>(sum / total);
  }
}

}  // namespace

void store_kv(ConstMatrixF32 keys, ConstMatrixF32 values, std::span<const std::uint32_t> positions,
              const KvLayer& cache) {
  const KvShape& shape = cache.shape;
  CARAT_CHECK(keys.rows() == positions.size() && values.rows() == positions.size());
  CARAT_CHECK(keys.columns() == shape.kv_heads * shape.head_dim && values.columns() == keys.columns());
  for (std::size_t t = 0; t < positions.size(); ++t) {
    std::byte* const block = block_of(cache, positions[t]);
    const std::size_t slot = positions[t] % kKvBlockTokens;
    for (std::size_t head = 0; head < shape.kv_heads; ++head) {
      for (std::size_t d = 0; d < shape.head_dim; ++d) {
        const std::size_t column = head * shape.head_dim + d;
        store_element(shape.type, block, shape.key_index(head, slot, d), keys(t, column));
        store_element(shape.type, block, shape.value_index(head, slot, d), values(t, column));
      }
    }
  }
}

void attention(ConstMatrixF32 q, std::size_t heads, const KvLayer& cache, std::span<const KeyRange> visible,
               MatrixF32 out) {
  const KvShape& shape = cache.shape;
  CARAT_CHECK(shape.kv_heads > 0 && heads % shape.kv_heads == 0);
  CARAT_CHECK(q.columns() == heads * shape.head_dim && out.columns() == q.columns());
  CARAT_CHECK(q.rows() == visible.size() && out.rows() == visible.size());
  const std::size_t heads_per_kv_head = heads / shape.kv_heads;
  for (std::size_t t = 0; t < q.rows(); ++t) {
    CARAT_CHECK(visible[t].begin < visible[t].end);
    for (std::size_t head = 0; head < heads; ++head) {
      const std::size_t first = head * shape.head_dim;
      attend(q.row(t).subspan(first, shape.head_dim), cache, head / heads_per_kv_head, visible[t],
             out.row(t).subspan(first, shape.head_dim));
    }
  }
}

}  // namespace carat::backend::reference
