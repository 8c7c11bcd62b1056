#pragma once

// Attention of all rows in bfloat16 dot products, for the level that has them.

#include "kernels/bf16_panel_inl.h"
#include "kernels/dense_packing_inl.h"

namespace carat::kernels {
namespace {

struct DenseBf16 {
  static constexpr std::size_t kStep = 2;
  static constexpr bool kScaled = false;
  static constexpr std::int32_t kOnes = 0x3F803F80;
  using Sum = F32x16;
  using Words = Bytes;

  static Sum start_score(const DenseView&, std::size_t) { return set1(0.0F); }
  static Sum start_weights(std::int32_t) { return set1(0.0F); }
  static Sum start_values(const DenseView&, std::size_t, std::size_t) { return set1(0.0F); }
  static Words load_words(const std::int32_t* at) { return load_bytes(at); }
  static void store_words(std::int32_t* at, const F32x16* x) { store_bytes(at, pairs(x[0], x[1])); }
  static Sum add_products(Sum sum, Words words, const std::int32_t& shared) {
    return bf16_dot(sum, words, {_mm512_set1_epi32(shared)});
  }
  static F32x16 sum_to_f32(Sum sum) { return sum; }
  static F32x16 score(const DenseView&, std::size_t, Sum sum) { return sum; }
  static F32x16 weight(F32x16 below_best, F32x16 factor) { return exp2_rough(mul(below_best, factor)); }
  static F32x16 values(const DenseView&, std::size_t, std::size_t, Sum sum) { return sum; }

  // Each lane the pair (low, high).
  static Bytes pairs(F32x16 low, F32x16 high) {
    const __m512i order = _mm512_or_si512(
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        _mm512_slli_epi32(_mm512_setr_epi32(16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31),
                          16));
    const auto halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high.v, low.v));
    return {_mm512_permutexvar_epi16(order, halves)};
  }
};

void pack_dense_bf16(const DenseSource& source, const DenseLayout& layout, std::byte* head) {
  clear(head, head + layout.bytes());
  for (std::size_t t = 0; t < layout.tokens; ++t) {
    const float* key = source.keys + t * source.stride;
    std::byte* row = head + t * layout.key_words() * 4;
    for_vectors(layout.head_dim, [&](std::size_t d, std::size_t n) {
      std::byte halves[32];
      store_bf16(halves, load_some(key + d, n));
      __builtin_memcpy(row + d * 2, halves, n * 2);
    });
  }
  for (std::size_t t = 0; t < layout.tokens; t += 2) {
    const float* value = source.values + t * source.stride;
    std::byte* row = head + layout.values_at() + t / 2 * layout.value_dims() * 4;
    for_vectors(layout.head_dim, [&](std::size_t d, std::size_t n) {
      const F32x16 second = t + 1 < layout.tokens ? load_some(value + source.stride + d, n) : set1(0.0F);
      store_bytes(row + d * 4, DenseBf16::pairs(load_some(value + d, n), second));
    });
  }
}

}  // namespace
}  // namespace carat::kernels
