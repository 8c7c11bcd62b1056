#pragma once

// bfloat16 weights by the processor's bfloat16 dot products, for the level that has them: activations are
// rounded to bfloat16, twice as many products an instruction. Pair p of columns enters sum p % 4.

#include "kernels/float_panel_inl.h"

namespace carat::kernels {
namespace {

template <int Rows>
inline void multiply_bf16_dot(const PanelJob& job, std::size_t first, std::uint32_t* pairs) {
  const std::size_t columns = job.layout->columns;
  const std::size_t pair_count = (columns + 1) / 2;
  const std::size_t stride = (columns + 31) / 32 * 16;
  for (std::size_t r = 0; r < Rows; ++r) {
    const float* x = job.rows[first + r];
    for (std::size_t c = 0; c < columns; c += 16) {
      const std::size_t n = columns - c < 16 ? columns - c : 16;
      const __m256bh rounded = _mm512_cvtneps_pbh(n == 16 ? _mm512_loadu_ps(x + c) : load_n(x + c, n).v);
      __builtin_memcpy(pairs + r * stride + c / 2, &rounded, 32);
    }
  }
  __m512 sums[kChains][Rows];
  for (auto& chain : sums) {
    for (__m512& sum : chain) sum = _mm512_setzero_ps();
  }
  std::size_t p = 0;
  for (; p + kChains <= pair_count; p += kChains) {
    CARAT_UNROLL
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      const auto weights = reinterpret_cast<__m512bh>(_mm512_loadu_si512(job.panel + (p + chain) * kVector));
      CARAT_UNROLL
      for (std::size_t r = 0; r < Rows; ++r) {
        const __m512i pair = _mm512_set1_epi32(static_cast<int>(pairs[r * stride + p + chain]));
        sums[chain][r] = _mm512_dpbf16_ps(sums[chain][r], weights, reinterpret_cast<__m512bh>(pair));
      }
    }
  }
  for (; p < pair_count; ++p) {
    const auto weights = reinterpret_cast<__m512bh>(_mm512_loadu_si512(job.panel + p * kVector));
    for (std::size_t r = 0; r < Rows; ++r) {
      const __m512i pair = _mm512_set1_epi32(static_cast<int>(pairs[r * stride + p]));
      sums[p % kChains][r] =
          _mm512_dpbf16_ps(sums[p % kChains][r], weights, reinterpret_cast<__m512bh>(pair));
    }
  }
  for (std::size_t r = 0; r < Rows; ++r) {
    const F32x16 even = {_mm512_add_ps(sums[0][r], sums[1][r])};
    const F32x16 odd = {_mm512_add_ps(sums[2][r], sums[3][r])};
    store_lanes(job, first + r, add(even, odd));
  }
}

inline void bf16_dot_panel(const PanelJob& job) {
  auto* pairs = reinterpret_cast<std::uint32_t*>(job.scratch);
  std::size_t row = 0;
  for (; row + kFloatRows <= job.row_count; row += kFloatRows) multiply_bf16_dot<kFloatRows>(job, row, pairs);
  for (; row < job.row_count; ++row) multiply_bf16_dot<1>(job, row, pairs);
}

}  // namespace
}  // namespace carat::kernels
