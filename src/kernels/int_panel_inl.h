#pragma once

// Quantized weights times int8 activations: one panel of 16 rows, one block of 32 columns at a time. The
// integer sums are exact; each block then enters its f32 sum by one fused multiply-add (two where the type
// has a min), in order of columns. That order is all that the result depends on, so decoding, batches and
// prefill agree to the bit. Included after a simd_*.h.

namespace carat::kernels {
namespace {

template <unsigned LowBits, unsigned HighBits, bool Table, bool HasMin, bool HasSub, int Block,
          int OffsetBits, bool RowScaled = false>
struct IntFormat {
  static constexpr unsigned kLowBits = LowBits;
  static constexpr unsigned kHighBits = HighBits;
  static constexpr bool kTable = Table;
  static constexpr bool kHasMin = HasMin;
  static constexpr bool kHasSub = HasSub;
  static constexpr int kBlock = Block;
  // Codes stand for code - 2^OffsetBits; negative: there is no offset.
  static constexpr int kOffsetBits = OffsetBits;
  static constexpr bool kRowScaled = RowScaled;         // one scale a row, applied to its finished sum
  static constexpr bool kFull = LowBits == 8 || Table;  // codes use all 8 bits
};

constexpr std::size_t kGroup = 32;  // columns
constexpr std::size_t kVector = 64;

alignas(16) constexpr std::uint8_t kIq4Codes[16] = {  // kIq4Values + 128
    1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};

// Shift that brings the bits of `quad` in a plane of 2 bits a code to bit `to`.
constexpr int pair_shift(int quad, int to) { return 2 * (quad % 4) - to; }

template <class F, int Quad>
inline Bytes unpack_quad(const std::byte* low, const std::byte* high) {
  Bytes codes;
  if constexpr (F::kLowBits == 8) {
    codes = load_bytes(low + Quad * kVector);
  } else if constexpr (F::kLowBits == 4) {
    codes = shift_and<(Quad < 4 ? 0 : 4), 15>(load_bytes(low + Quad % 4 * kVector));
  } else {
    codes = shift_and<pair_shift(Quad, 0), 3>(load_bytes(low + Quad / 4 * kVector));
  }
  constexpr int kLow = static_cast<int>(F::kLowBits);
  if constexpr (F::kHighBits == 1)
    codes = bit_or(codes, shift_and<Quad - kLow, (1 << kLow)>(load_bytes(high)));
  if constexpr (F::kHighBits == 2) {
    codes =
        bit_or(codes, shift_and<pair_shift(Quad, kLow), (3 << kLow)>(load_bytes(high + Quad / 4 * kVector)));
  }
  if constexpr (F::kTable) codes = look_up(kIq4Codes, codes);
  return codes;
}

template <class F>
inline void unpack_group(const std::byte* low, const std::byte* high, Bytes (&quads)[8]) {
  quads[0] = unpack_quad<F, 0>(low, high);
  quads[1] = unpack_quad<F, 1>(low, high);
  quads[2] = unpack_quad<F, 2>(low, high);
  quads[3] = unpack_quad<F, 3>(low, high);
  quads[4] = unpack_quad<F, 4>(low, high);
  quads[5] = unpack_quad<F, 5>(low, high);
  quads[6] = unpack_quad<F, 6>(low, high);
  quads[7] = unpack_quad<F, 7>(low, high);
}

// Scales (or mins) of the 16 rows for block `block`: an f16 each, times a small integer in the types with
// sub-blocks.
template <class F>
inline F32x16 block_scale(const std::byte* halves, const std::byte* sub, std::size_t block) {
  constexpr std::size_t kPerHalf = F::kHasSub ? 256 / F::kBlock : 1;
  const F32x16 scale = load_f16(halves + block / kPerHalf * 32);
  if constexpr (F::kHasSub) return mul(scale, load_i8(sub + block * 16));
  return scale;
}

template <class F>
struct BlockScales {
  F32x16 scale[32 / F::kBlock];
  F32x16 min[32 / F::kBlock];
};

template <class F>
inline BlockScales<F> group_scales(const PanelJob& job, std::size_t group) {
  constexpr int kBlocks = 32 / F::kBlock;
  const tensor::PanelLayout& layout = *job.layout;
  BlockScales<F> out;
  if constexpr (F::kRowScaled) return out;
  for (int b = 0; b < kBlocks; ++b) {
    const std::size_t block = group * kBlocks + static_cast<std::size_t>(b);
    out.scale[b] = block_scale<F>(job.panel + layout.scale_at, job.panel + layout.sub_at, block);
    if constexpr (F::kHasMin) {
      out.min[b] = block_scale<F>(job.panel + layout.min_at, job.panel + layout.sub_min_at, block);
    }
  }
  return out;
}

// sums[p][r] += the products of one group of 32 columns of Panels panels, quad(p, q), with Rows activation
// blocks a[r].
template <class F, int Panels, int Rows, class Quad>
inline void add_group(Quad quad, const BlockScales<F> (&scales)[Panels], const ActivationBlock* a,
                      F32x16 (&sums)[Panels][Rows]) {
  constexpr int kBlocks = 32 / F::kBlock;
  constexpr int kQuads = 8 / kBlocks;
  for (int b = 0; b < kBlocks; ++b) {
    I32x16 dots[Panels][Rows];
    CARAT_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const std::int32_t neg_sum = kBlocks == 1 ? a[r].neg_sum : a[r].neg_half_sums[b];
      CARAT_UNROLL
      for (int p = 0; p < Panels; ++p)
        dots[p][r] =
            F::kOffsetBits < 0 ? set1(std::int32_t{0}) : dot_start<F::kFull>(neg_sum, F::kOffsetBits);
    }
    CARAT_UNROLL
    for (int q = 0; q < kQuads; ++q) {
      Bytes codes[Panels];
      for (int p = 0; p < Panels; ++p) codes[p] = quad(p, b * kQuads + q);
      CARAT_UNROLL
      for (int r = 0; r < Rows; ++r) {
        CARAT_UNROLL
        for (int p = 0; p < Panels; ++p)
          dots[p][r] = dot<F::kFull>(dots[p][r], codes[p], a[r].quads[b * kQuads + q]);
      }
    }
    CARAT_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const F32x16 activation_scale = set1(a[r].scale);
      CARAT_UNROLL
      for (int p = 0; p < Panels; ++p) {
        const F32x16 scale = F::kRowScaled ? activation_scale : mul(scales[p].scale[b], activation_scale);
        sums[p][r] = fma(to_f32(dots[p][r]), scale, sums[p][r]);
        if constexpr (F::kHasMin) {
          const float sum = kBlocks == 1 ? a[r].scaled_sum : a[r].scaled_half_sums[b];
          sums[p][r] = fma(scales[p].min[b], set1(sum), sums[p][r]);
        }
      }
    }
  }
}

// The job of panel p alone.
inline PanelJob one_panel(const PanelJob& job, std::size_t p) {
  PanelJob one = job;
  one.panel += p * job.layout->bytes;
  one.panel_count = 1;
  one.out_offset += p * tensor::kPanelRows;
  if (p + 1 < job.panel_count) one.valid = tensor::kPanelRows;
  return one;
}

inline void store_lanes(const PanelJob& job, std::size_t row, F32x16 values) {
  float* out = job.out[row] + job.out_offset;
  if (row < job.bias_rows) {
    const float* bias = job.bias + job.out_offset;
    values = add(values, job.valid == 16 ? load(bias) : load_n(bias, job.valid));
  }
  if (job.valid == 16) {
    store(out, values);
  } else {
    store_n(out, values, job.valid);
  }
}

// The sums of the 16 rows times the rows' scales, in the types that have them.
template <bool RowScaled>
inline F32x16 row_scaled(const PanelJob& job, F32x16 sums) {
  if constexpr (!RowScaled) return sums;
  return mul(sums, load(reinterpret_cast<const float*>(job.panel + job.layout->row_scale_at)));
}

// Asks for memory that will be read soon; there need not be any.
inline void prefetch(const std::byte* at, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += kVector) __builtin_prefetch(at + i, 0, 2);
}

// How far ahead of the codes that a single row is multiplied with memory is asked for, in bytes: it
// was measured (docs/decisions/panels.md).
constexpr std::size_t kStreamAhead = 4096;

// Few rows: codes go from memory to the dot product in registers, since reading them is the cost.
template <class F, int Rows>
inline void multiply_streaming(const PanelJob& job) {
  F32x16 sums[1][Rows];
  for (int r = 0; r < Rows; ++r) sums[0][r] = set1(0.0F);
  const std::byte* low = job.panel;
  const std::byte* high = job.panel + job.layout->high_at;
  const std::size_t groups = job.layout->columns / kGroup;
  for (std::size_t group = 0; group < groups; ++group) {
    // Codes of 8 bits, which take the least work a byte, were 5% slower with it.
    if constexpr (F::kLowBits < 8) {
      prefetch(low + kStreamAhead, F::kLowBits * kVector);
      prefetch(high + kStreamAhead / F::kLowBits * F::kHighBits, F::kHighBits * kVector);
    }
    Bytes quads[8];
    unpack_group<F>(low, high, quads);
    const BlockScales<F> scales[1] = {group_scales<F>(job, group)};
    const auto quad = [&](int, int q) { return quads[q]; };
    add_group<F, 1, Rows>(quad, scales, job.activations + group * Rows, sums);
    low += F::kLowBits * kVector;
    high += F::kHighBits * kVector;
  }
  for (std::size_t r = 0; r < Rows && r < job.row_count; ++r)
    store_lanes(job, r, row_scaled<F::kRowScaled>(job, sums[0][r]));
}

// A panel unpacked: its codes one byte each, then its scales and mins in f32.
template <class F>
struct UnpackedPanel {
  static constexpr std::size_t kBlocks = 32 / F::kBlock;

  std::byte* codes;
  float* scales;
  float* mins;

  UnpackedPanel(const tensor::PanelLayout& layout, std::byte* at)
      : codes(at),
        scales(reinterpret_cast<float*>(at + layout.columns * tensor::kPanelRows)),
        mins(scales + layout.columns / F::kBlock * 16) {}

  void unpack(const PanelJob& job) const {
    for (std::size_t group = 0; group < job.layout->columns / kGroup; ++group) {
      Bytes quads[8];
      unpack_group<F>(job.panel + group * F::kLowBits * kVector,
                      job.panel + job.layout->high_at + group * F::kHighBits * kVector, quads);
      for (std::size_t q = 0; q < 8; ++q) store_bytes(codes + (group * 8 + q) * kVector, quads[q]);
      const BlockScales<F> block = group_scales<F>(job, group);
      for (std::size_t b = 0; b < kBlocks; ++b) {
        if constexpr (!F::kRowScaled) store(scales + (group * kBlocks + b) * 16, block.scale[b]);
        if constexpr (F::kHasMin) store(mins + (group * kBlocks + b) * 16, block.min[b]);
      }
    }
  }
  BlockScales<F> block_scales(std::size_t group) const {
    BlockScales<F> block;
    for (std::size_t b = 0; b < kBlocks; ++b) {
      if constexpr (!F::kRowScaled) block.scale[b] = load(scales + (group * kBlocks + b) * 16);
      if constexpr (F::kHasMin) block.min[b] = load(mins + (group * kBlocks + b) * 16);
    }
    return block;
  }
};

// Rows [first, first + Rows) of the activations times unpacked panels.
template <class F, int Panels, int Rows>
inline void multiply_tile(const PanelJob& job, const UnpackedPanel<F>* panels, std::size_t first) {
  const std::size_t groups = job.layout->columns / kGroup;
  const std::size_t tile = first / kActivationTile * groups * kActivationTile + first % kActivationTile;
  F32x16 sums[Panels][Rows];
  for (auto& rows : sums) {
    for (F32x16& sum : rows) sum = set1(0.0F);
  }
  for (std::size_t group = 0; group < groups; ++group) {
    BlockScales<F> scales[Panels];
    for (std::size_t p = 0; p < Panels; ++p) scales[p] = panels[p].block_scales(group);
    const auto quad = [&](int p, int q) {
      return load_bytes(panels[p].codes + (group * 8 + static_cast<std::size_t>(q)) * kVector);
    };
    add_group<F, Panels, Rows>(quad, scales, job.activations + tile + group * kActivationTile, sums);
  }
  for (std::size_t p = 0; p < Panels; ++p) {
    const PanelJob one = one_panel(job, p);
    for (std::size_t r = 0; r < Rows && first + r < job.row_count; ++r)
      store_lanes(one, first + r, row_scaled<F::kRowScaled>(one, sums[p][r]));
  }
}

// Many rows: the panels are unpacked once, then each tile of rows runs over them. Two panels share what is
// read of a row. Meanwhile the panels behind them, which likely come next, are fetched.
template <class F, int Panels, int Rows>
inline void multiply_unpacked(const PanelJob& job) {
  static_assert(kActivationTile % Rows == 0);
  const UnpackedPanel<F> panels[2] = {{*job.layout, job.scratch},
                                      {*job.layout, job.scratch + scratch_bytes(*job.layout) / 2}};
  for (std::size_t p = 0; p < Panels; ++p) panels[p].unpack(one_panel(job, p));
  const std::byte* next = job.panel + Panels * job.layout->bytes;
  const std::size_t slice = Panels * job.layout->bytes * Rows / job.row_count;
  for (std::size_t first = 0; first < job.row_count; first += Rows) {
    prefetch(next, slice);
    next += slice;
    multiply_tile<F, Panels, Rows>(job, panels, first);
  }
}

template <class F>
inline void multiply(const PanelJob& job) {
  if constexpr (kGemmPanels == 2) {
    if (job.panel_count == 2 && job.row_count > kSmallBatch)
      return multiply_unpacked<F, 2, kGemmRows / 2>(job);
  }
  for (std::size_t p = 0; p < job.panel_count; ++p) {
    const PanelJob one = one_panel(job, p);
    switch (one.row_count) {
      case 1: multiply_streaming<F, 1>(one); break;
      case 2: multiply_streaming<F, 2>(one); break;
      case 3:
      case 4: multiply_streaming<F, 4>(one); break;
      default: multiply_unpacked<F, 1, kGemmRows>(one);
    }
  }
}

void int_panel(const PanelJob& job) {
  using enum tensor::ElementType;
  // low bits, high bits, table, min, sub-blocks, block, offset bits: as tensor/panel.cc lays them out
  switch (job.layout->type) {
    case kQ4_0: return multiply<IntFormat<4, 0, false, false, false, 32, 3>>(job);
    case kQ4_1: return multiply<IntFormat<4, 0, false, true, false, 32, -1>>(job);
    case kQ5_0: return multiply<IntFormat<4, 1, false, false, false, 32, 4>>(job);
    case kQ5_1: return multiply<IntFormat<4, 1, false, true, false, 32, -1>>(job);
    case kQ8_0: return multiply<IntFormat<8, 0, false, false, false, 32, 7>>(job);
    case kQ2_K: return multiply<IntFormat<2, 0, false, true, true, 16, -1>>(job);
    case kQ3_K: return multiply<IntFormat<2, 1, false, false, true, 16, 2>>(job);
    case kQ4_K: return multiply<IntFormat<4, 0, false, true, true, 32, -1>>(job);
    case kQ5_K: return multiply<IntFormat<4, 1, false, true, true, 32, -1>>(job);
    case kQ6_K: return multiply<IntFormat<4, 2, false, false, true, 16, 5>>(job);
    case kIQ4_NL: return multiply<IntFormat<4, 0, true, false, false, 32, 7>>(job);
    case kIQ4_XS: return multiply<IntFormat<4, 0, true, false, true, 32, 7>>(job);
    case kInt4: return multiply<IntFormat<4, 0, false, false, false, 32, 3, true>>(job);
    case kF32:
    case kF16:
    case kBF16:
    case kSFP8: return;  // float_panel's
  }
}

}  // namespace
}  // namespace carat::kernels
