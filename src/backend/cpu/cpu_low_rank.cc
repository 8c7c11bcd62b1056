#include "backend/cpu/cpu_low_rank.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "base/checked_math.h"
#include "tensor/panel.h"

namespace carat::backend {
namespace {

using tensor::kPanelRows;

// Rows of one task: few enough to share among threads, and enough to read the weights seldom.
constexpr std::size_t kLowRankRows = 32;
// A task reads about this many bytes of `up`, whose results then stay in the cache until they are added.
constexpr std::size_t kTaskBytes = std::size_t{64} << 10;

const PackedLinear& float_weights(const Linear& linear) {
  const auto& packed = static_cast<const PackedLinear&>(linear);
  CARAT_CHECK(packed.layout().is_float && packed.layout().type != tensor::ElementType::kSFP8);
  CARAT_CHECK(packed.bias().empty());
  return packed;
}

// For the rows of one task in bfloat16, where a kernel wants them so.
std::size_t rounded_bytes(const PackedLinear& weights) {
  return kLowRankRows * kernels::bf16_pairs(weights.columns()) * sizeof(std::uint32_t);
}

template <class Matrix>
Matrix tile_of(Matrix matrix, std::size_t tile) {
  const std::size_t first = tile * kLowRankRows;
  return matrix.slice_rows(first, std::min(kLowRankRows, matrix.rows() - first));
}

}  // namespace

void CpuLowRank::grow_scratch(std::size_t bytes) {
  for (HugeBuffer& buffer : scratch_) {
    if (buffer.size() >= bytes) continue;
    auto grown = HugeBuffer::allocate(bytes);
    CARAT_CHECK(grown.has_value());  // a few rows
    buffer = std::move(*grown);
  }
}

void CpuLowRank::multiply(const PackedLinear& weights, std::size_t first, std::size_t last, ConstMatrixF32 in,
                          MatrixF32 out, std::size_t thread) {
  std::array<const float*, kLowRankRows> in_rows = {};
  std::array<float*, kLowRankRows> out_rows = {};
  for (std::size_t t = 0; t < in.rows(); ++t) {
    in_rows[t] = in.row(t).data();
    out_rows[t] = out.row(t).data();
  }
  kernels::PanelJob job;
  job.layout = &weights.layout();
  job.rows = in_rows.data();
  job.row_count = in.rows();
  job.out = out_rows.data();
  if (kernels_.rounds_bf16 && weights.layout().type == tensor::ElementType::kBF16) {
    const std::size_t pairs = kernels::bf16_pairs(weights.columns());
    auto* rounded = reinterpret_cast<std::uint32_t*>(scratch_[thread].data());
    for (std::size_t t = 0; t < in.rows(); ++t)
      kernels_.round_bf16(in_rows[t], weights.columns(), rounded + t * pairs);
    job.bf16_rows = rounded;
  }
  for (std::size_t panel = first; panel < last; ++panel) {
    job.panel = weights.panel(panel).data();
    job.out_offset = (panel - first) * kPanelRows;
    job.valid = std::min(kPanelRows, weights.rows() - panel * kPanelRows);
    kernels_.panel(job);
  }
}

void CpuLowRank::add(ConstMatrixF32 x, const LowRank& addition, MatrixF32 out) {
  const PackedLinear& down = float_weights(*addition.down);
  const PackedLinear& up = float_weights(*addition.up);
  CARAT_CHECK(down.columns() == x.columns() && up.columns() == down.rows() && up.rows() == out.columns());
  grow_scratch(std::max(rounded_bytes(down), rounded_bytes(up)));
  const ConstMatrixF32 in_rows = x.slice_rows(addition.first_row, addition.row_count);
  const MatrixF32 out_rows = out.slice_rows(addition.first_row, addition.row_count);
  const MatrixF32 narrow = narrow_.resized(addition.row_count, down.rows());

  const std::size_t tiles = ceil_div(addition.row_count, kLowRankRows);
  pool_.run(tiles, [&](std::size_t tile, std::size_t thread) {
    multiply(down, 0, down.panel_count(), tile_of(in_rows, tile), tile_of(narrow, tile), thread);
  });

  const std::size_t panels = std::max<std::size_t>(1, kTaskBytes / up.layout().bytes);
  pool_.run(ceil_div(up.panel_count(), panels) * tiles, [&](std::size_t task, std::size_t thread) {
    const std::size_t first = task / tiles * panels;
    const std::size_t last = std::min(up.panel_count(), first + panels);
    const std::size_t column = first * kPanelRows;
    const std::size_t columns = std::min(up.rows(), last * kPanelRows) - column;
    const MatrixF32 rows = tile_of(out_rows, task % tiles);
    const MatrixF32 added = added_[thread].resized(rows.rows(), columns);
    multiply(up, first, last, tile_of(narrow, task % tiles), added, thread);
    for (std::size_t t = 0; t < rows.rows(); ++t) {
      kernels_.add_scaled(rows.row(t).data() + column, added.row(t).data(), addition.scale, columns);
    }
  });
}

}  // namespace carat::backend
