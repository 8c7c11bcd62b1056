#pragma once

// Float weights times f32 activations: one panel of 16 rows, lane = row. Column c enters the sum c % 4 of its
// row, and the four are added at the end: short chains, and an order that depends on nothing else.

#include "kernels/int_panel_inl.h"

namespace carat::kernels {
namespace {

constexpr int kFloatRows = 4;
constexpr std::size_t kChains = 4;

struct F32Weights {
  static constexpr std::size_t kColumnBytes = 64;
  static void load_pair(const std::byte* at, F32x16& even, F32x16& odd) {
    even = load(reinterpret_cast<const float*>(at));
    odd = load(reinterpret_cast<const float*>(at + kColumnBytes));
  }
  static F32x16 load_last(const std::byte* at) { return load(reinterpret_cast<const float*>(at)); }
};

struct F16Weights {
  static constexpr std::size_t kColumnBytes = 32;
  static void load_pair(const std::byte* at, F32x16& even, F32x16& odd) {
    even = load_f16(at);
    odd = load_f16(at + kColumnBytes);
  }
  static F32x16 load_last(const std::byte* at) { return load_f16(at); }
};

struct BF16Weights {
  static constexpr std::size_t kColumnBytes = 32;
  static void load_pair(const std::byte* at, F32x16& even, F32x16& odd) { load_bf16_pairs(at, even, odd); }
  static F32x16 load_last(const std::byte* at) {
    F32x16 even, padding;
    load_bf16_pairs(at, even, padding);
    return even;
  }
};

template <class Weights, int Rows>
inline void multiply_float(const PanelJob& job, std::size_t first) {
  F32x16 sums[kChains][Rows];
  for (auto& chain : sums) {
    for (F32x16& sum : chain) sum = set1(0.0F);
  }
  const float* const* x = job.rows + first;
  const std::size_t columns = job.layout->columns;
  std::size_t c = 0;
  for (; c + kChains <= columns; c += kChains) {
    F32x16 weights[kChains];
    Weights::load_pair(job.panel + c * Weights::kColumnBytes, weights[0], weights[1]);
    Weights::load_pair(job.panel + (c + 2) * Weights::kColumnBytes, weights[2], weights[3]);
    CARAT_UNROLL
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      CARAT_UNROLL
      for (int r = 0; r < Rows; ++r)
        sums[chain][r] = fma(weights[chain], set1(x[r][c + chain]), sums[chain][r]);
    }
  }
  for (; c < columns; ++c) {
    F32x16 weight, odd;
    if (c % 2 == 0) {
      weight = Weights::load_last(job.panel + c * Weights::kColumnBytes);
    } else {
      Weights::load_pair(job.panel + (c - 1) * Weights::kColumnBytes, odd, weight);
    }
    for (int r = 0; r < Rows; ++r) sums[c % kChains][r] = fma(weight, set1(x[r][c]), sums[c % kChains][r]);
  }
  for (int r = 0; r < Rows; ++r) {
    const F32x16 sum = add(add(sums[0][r], sums[1][r]), add(sums[2][r], sums[3][r]));
    store_lanes(job, first + static_cast<std::size_t>(r), sum);
  }
}

template <class Weights>
inline void multiply_all_rows(const PanelJob& job) {
  std::size_t row = 0;
  for (; row + kFloatRows <= job.row_count; row += kFloatRows) multiply_float<Weights, kFloatRows>(job, row);
  for (; row < job.row_count; ++row) multiply_float<Weights, 1>(job, row);
}

}  // namespace
}  // namespace carat::kernels
