#pragma once

// Keys and values of one head into the layout of dense_layout.h.

#include "kernels/dense_attention_inl.h"

namespace carat::kernels {
namespace {

// Rows beyond the last token are zeros, so that a kernel may take whole groups of them.
inline void clear(std::byte* from, const std::byte* to) {
  __builtin_memset(from, 0, static_cast<std::size_t>(to - from));
}

void pack_dense_f32(const DenseSource& source, const DenseLayout& layout, std::byte* head) {
  clear(head, head + layout.bytes());
  auto* keys = reinterpret_cast<float*>(head);
  auto* values = reinterpret_cast<float*>(head + layout.values_at());
  for (std::size_t t = 0; t < layout.tokens; ++t) {
    const std::size_t bytes = layout.head_dim * sizeof(float);
    __builtin_memcpy(keys + t * layout.key_words(), source.keys + t * source.stride, bytes);
    __builtin_memcpy(values + t * layout.value_dims(), source.values + t * source.stride, bytes);
  }
}

// One key less the mean of dimensions [d, d + n).
inline F32x16 centered(const float* key, const F32x16& mean, std::size_t d, std::size_t n) {
  return select_lanes(0, static_cast<int>(n), sub(load_some(key + d, n), mean), set1(0.0F));
}

inline void pack_int8_keys(const DenseSource& source, const DenseLayout& layout, std::byte* head,
                           float* means) {
  const std::size_t tokens = layout.tokens;
  for_vectors(layout.head_dim, [&](std::size_t d, std::size_t n) {
    F32x16 sum = set1(0.0F);
    for (std::size_t t = 0; t < tokens; ++t)
      sum = add(sum, load_some(source.keys + t * source.stride + d, n));
    store(means + d, div(sum, set1(static_cast<float>(tokens))));
  });
  auto* scales = reinterpret_cast<float*>(head + layout.key_scale_at());
  auto* sums = reinterpret_cast<std::int32_t*>(head + layout.key_sum_at());
  for (std::size_t t = 0; t < tokens; ++t) {
    const float* key = source.keys + t * source.stride;
    F32x16 largest = set1(kLeastMaximum);
    for_vectors(layout.head_dim, [&](std::size_t d, std::size_t n) {
      largest = max(largest, abs(centered(key, load(means + d), d, n)));
    });
    const float maximum = reduce_max(largest);
    const F32x16 inverse = set1(127.0F / maximum);
    scales[t] = maximum / 127.0F;
    std::int32_t sum = 0;
    std::byte* row = head + t * layout.key_words() * 4;
    for_vectors(layout.head_dim, [&](std::size_t d, std::size_t n) {
      const I32x16 codes = to_code(mul(centered(key, load(means + d), d, n), inverse));
      sum += reduce_add(codes);
      std::byte bytes[16];
      store_i8(bytes, codes);
      __builtin_memcpy(row + d, bytes, n);
    });
    sums[t] = -sum;
  }
}

// One tile of keys, 16 dimensions of their values.
inline void pack_int8_values(const DenseSource& source, const DenseLayout& layout, std::size_t tile,
                             std::size_t d, std::size_t n, std::byte* head) {
  const std::size_t first = tile * kDenseKeys;
  const std::size_t last = first + kDenseKeys < layout.tokens ? first + kDenseKeys : layout.tokens;
  const auto value = [&](std::size_t t) { return load_some(source.values + t * source.stride + d, n); };
  F32x16 largest = set1(kLeastMaximum);
  for (std::size_t t = first; t < last; ++t) largest = max(largest, abs(value(t)));
  const F32x16 inverse = div(set1(127.0F), largest);
  const std::size_t at = tile * layout.value_dims() + d;
  store(reinterpret_cast<float*>(head + layout.value_scale_at()) + at, div(largest, set1(127.0F)));
  F32x16 sum = set1(0.0F);  // exact: at most 127 * kDenseKeys
  for (std::size_t t = first; t < last; t += 4) {
    I32x16 codes[4];
    for (std::size_t i = 0; i < 4; ++i) {
      const F32x16 code = t + i < last ? to_f32(to_code(mul(value(t + i), inverse))) : set1(0.0F);
      sum = add(sum, code);
      codes[i] = to_nearest(add(code, set1(128.0F)));
    }
    const Bytes offset = pack_bytes(codes[0], codes[1], codes[2], codes[3]);
    store_bytes(head + layout.values_at() + (t / 4 * layout.value_dims() + d) * 4,
                add_bytes(offset, set1_bytes<-128>()));
  }
  alignas(64) float sums[16];
  store(sums, sum);
  auto* out = reinterpret_cast<std::int32_t*>(head + layout.value_sum_at()) + at;
  for (std::size_t i = 0; i < 16; ++i) out[i] = static_cast<std::int32_t>(sums[i]);
}

void pack_dense_int8(const DenseSource& source, const DenseLayout& layout, std::byte* head) {
  clear(head, head + layout.bytes());
  // The means lie where the scales of the first values will.
  pack_int8_keys(source, layout, head, reinterpret_cast<float*>(head + layout.value_scale_at()));
  for (std::size_t tile = 0; tile < layout.tiles(); ++tile) {
    for_vectors(layout.head_dim,
                [&](std::size_t d, std::size_t n) { pack_int8_values(source, layout, tile, d, n, head); });
  }
}

}  // namespace
}  // namespace carat::kernels
