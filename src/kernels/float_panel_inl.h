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
  static constexpr bool kRowScaled = false;
  static F32x16 load_column(const std::byte* panel, std::size_t c) {
    return load(reinterpret_cast<const float*>(panel + c * kColumnBytes));
  }
  static void load_four(const std::byte* at, F32x16 (&columns)[4]) {
    for (std::size_t c = 0; c < 4; ++c) columns[c] = load_column(at, c);
  }
};

struct F16Weights {
  static constexpr std::size_t kColumnBytes = 32;
  static constexpr bool kRowScaled = false;
  static F32x16 load_column(const std::byte* panel, std::size_t c) {
    return load_f16(panel + c * kColumnBytes);
  }
  static void load_four(const std::byte* at, F32x16 (&columns)[4]) {
    for (std::size_t c = 0; c < 4; ++c) columns[c] = load_column(at, c);
  }
};

struct BF16Weights {
  static constexpr std::size_t kColumnBytes = 32;
  static constexpr bool kRowScaled = false;
  static F32x16 load_column(const std::byte* panel, std::size_t c) {
    F32x16 pair[2];
    split_bf16_pairs(load_bytes(panel + c / 2 * kVector), pair[0], pair[1]);
    return pair[c % 2];
  }
  static void load_four(const std::byte* at, F32x16 (&columns)[4]) {
    split_bf16_pairs(load_bytes(at), columns[0], columns[1]);
    split_bf16_pairs(load_bytes(at + kVector), columns[2], columns[3]);
  }
};

// 64 bytes of SFP8, four columns of 16 rows, as two vectors of bfloat16 pairs: columns 0 and 1, 2 and 3. In
// eighths of its binade a code c is c + min(c, 64), whose upper bits are the exponent and the lower ones the
// mantissa; see tensor/sfp8.h.
inline void sfp8_to_bf16_pairs(const std::byte* at, Bytes& first, Bytes& second) {
  const Bytes bytes = load_bytes(at);
  const Bytes code = bit_and<0x7F>(bytes);
  const Bytes eighths = add_bytes(code, min_bytes<64>(code));
  const Bytes exponent = where_not_zero(code, add_bytes(shift_and<4, 15>(eighths), set1_bytes<0x34>()));
  interleave(shift_and<-4, 0xF0>(eighths), bit_or(exponent, bit_and<0x80>(bytes)), first, second);
}

struct SFP8Weights {
  static constexpr std::size_t kColumnBytes = 16;
  static constexpr bool kRowScaled = true;
  static void load_four(const std::byte* at, F32x16 (&columns)[4]) {
    Bytes first, second;
    sfp8_to_bf16_pairs(at, first, second);
    split_bf16_pairs(first, columns[0], columns[1]);
    split_bf16_pairs(second, columns[2], columns[3]);
  }
  static F32x16 load_column(const std::byte* panel, std::size_t c) {
    F32x16 columns[4];
    load_four(panel + c / 4 * kVector, columns);
    return columns[c % 4];
  }
};

template <class Weights, int Rows, bool RowScaled = Weights::kRowScaled>
inline void multiply_float(const PanelJob& job, const std::byte* panel, std::size_t first) {
  F32x16 sums[kChains][Rows];
  for (auto& chain : sums) {
    for (F32x16& sum : chain) sum = set1(0.0F);
  }
  const float* const* x = job.rows + first;
  const std::size_t columns = job.layout->columns;
  std::size_t c = 0;
  for (; c + kChains <= columns; c += kChains) {
    const std::byte* at = panel + c * Weights::kColumnBytes;
    if constexpr (Rows == 1) prefetch(at + kStreamAhead, kChains * Weights::kColumnBytes);
    F32x16 weights[kChains];
    Weights::load_four(at, weights);
    CARAT_UNROLL
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      CARAT_UNROLL
      for (int r = 0; r < Rows; ++r)
        sums[chain][r] = fma(weights[chain], set1(x[r][c + chain]), sums[chain][r]);
    }
  }
  for (; c < columns; ++c) {
    const F32x16 weight = Weights::load_column(panel, c);
    for (int r = 0; r < Rows; ++r) sums[c % kChains][r] = fma(weight, set1(x[r][c]), sums[c % kChains][r]);
  }
  for (int r = 0; r < Rows; ++r) {
    const F32x16 sum = add(add(sums[0][r], sums[1][r]), add(sums[2][r], sums[3][r]));
    store_lanes(job, first + static_cast<std::size_t>(r), row_scaled<RowScaled>(job, sum));
  }
}

template <class Weights, bool RowScaled = Weights::kRowScaled>
inline void multiply_rows(const PanelJob& job, const std::byte* panel) {
  std::size_t row = 0;
  for (; row + kFloatRows <= job.row_count; row += kFloatRows)
    multiply_float<Weights, kFloatRows, RowScaled>(job, panel, row);
  for (; row < job.row_count; ++row) multiply_float<Weights, 1, RowScaled>(job, panel, row);
}

template <class Weights>
inline void multiply_float_panels(const PanelJob& job) {
  for (std::size_t p = 0; p < job.panel_count; ++p) {
    const PanelJob one = one_panel(job, p);
    multiply_rows<Weights>(one, one.panel);
  }
}

// SFP8 is decoded in registers where that happens once, and ahead into bfloat16, which holds every one of its
// values, where many rows follow.
inline void multiply_sfp8_panel(const PanelJob& job) {
  if (job.row_count <= kFloatRows) return multiply_rows<SFP8Weights>(job, job.panel);
  for (std::size_t c = 0; c < job.layout->columns; c += 4) {
    Bytes first, second;
    sfp8_to_bf16_pairs(job.panel + c / 4 * kVector, first, second);
    store_bytes(job.scratch + c / 2 * kVector, first);
    store_bytes(job.scratch + (c / 2 + 1) * kVector, second);
  }
  multiply_rows<BF16Weights, /*RowScaled=*/true>(job, job.scratch);
}

inline void multiply_sfp8(const PanelJob& job) {
  for (std::size_t p = 0; p < job.panel_count; ++p) multiply_sfp8_panel(one_panel(job, p));
}

}  // namespace
}  // namespace carat::kernels
