#pragma once

// bfloat16 weights by the processor's bfloat16 dot products, for the level that has them: rows come rounded
// to bfloat16, and an instruction multiplies twice as many numbers. Pair p of columns enters sum p % 2.

#include "kernels/float_panel_inl.h"

namespace carat::kernels {
namespace {

// sum + the products of two bfloat16 a lane with a pair that all lanes share. Written out, since g++ 12
// surrounds the intrinsic with copies.
inline F32x16 bf16_dot(F32x16 sum, Bytes pairs, Bytes shared) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum.v) : "v"(pairs.v), "v"(shared.v));
  return sum;
}

template <int Panels, int Rows>
inline void multiply_bf16_dot(const PanelJob& job, std::size_t first) {
  constexpr std::size_t kSums = 2;
  const std::size_t pair_count = (job.layout->columns + 1) / 2;
  const std::size_t stride = bf16_pairs(job.layout->columns);
  const std::uint32_t* x = job.bf16_rows + first * stride;
  F32x16 sums[kSums][Panels][Rows];
  for (auto& panels : sums) {
    for (auto& rows : panels) {
      for (F32x16& sum : rows) sum = set1(0.0F);
    }
  }
  const auto add_pair = [&](std::size_t pair, F32x16(&to)[Panels][Rows]) {
    Bytes weights[Panels];
    for (std::size_t p = 0; p < Panels; ++p)
      weights[p] = load_bytes(job.panel + p * job.layout->bytes + pair * kVector);
    CARAT_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      const Bytes shared = {_mm512_set1_epi32(static_cast<int>(x[r * stride + pair]))};
      CARAT_UNROLL
      for (std::size_t p = 0; p < Panels; ++p) to[p][r] = bf16_dot(to[p][r], weights[p], shared);
    }
  };
  std::size_t pair = 0;
  for (; pair + kSums <= pair_count; pair += kSums) {
    add_pair(pair, sums[0]);
    add_pair(pair + 1, sums[1]);
  }
  if (pair < pair_count) add_pair(pair, sums[0]);
  for (std::size_t p = 0; p < Panels; ++p) {
    const PanelJob one = one_panel(job, p);
    for (std::size_t r = 0; r < Rows; ++r) store_lanes(one, first + r, add(sums[0][p][r], sums[1][p][r]));
  }
}

template <int Panels>
inline void bf16_dot_panels(const PanelJob& job) {
  std::size_t row = 0;
  for (; row + kFloatRows <= job.row_count; row += kFloatRows)
    multiply_bf16_dot<Panels, kFloatRows>(job, row);
  for (; row < job.row_count; ++row) multiply_bf16_dot<Panels, 1>(job, row);
}

inline void bf16_dot_panel(const PanelJob& job) {
  if (job.panel_count == 2) return bf16_dot_panels<2>(job);
  bf16_dot_panels<1>(job);
}

}  // namespace
}  // namespace carat::kernels
