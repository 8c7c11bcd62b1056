#include "backend/cpu/cpu_dense_attention.h"

#include <algorithm>
#include <utility>

#include "base/checked_math.h"

namespace carat::backend {
namespace {

using kernels::DenseType;

void grow(HugeBuffer& buffer, std::size_t bytes) {
  if (buffer.size() >= bytes) return;
  auto grown = HugeBuffer::allocate(bytes);
  CARAT_CHECK(grown.has_value());  // as large as the rows, which the caller had room for
  buffer = std::move(*grown);
}

}  // namespace

CpuDenseAttention::CpuDenseAttention(const kernels::Kernels& kernels, const kernels::Kernels* bf16_kernels,
                                     parallel::ThreadPool& pool)
    : kernels_(kernels), bf16_kernels_(bf16_kernels), pool_(pool), scratch_(pool.size()) {}

void CpuDenseAttention::run(ConstMatrixF32 q, ConstMatrixF32 k, ConstMatrixF32 v, std::size_t heads,
                            Rounding rounding, MatrixF32 out) {
  const std::size_t tokens = q.rows();
  if (tokens == 0) return;
  CARAT_CHECK(heads > 0 && q.columns() % heads == 0 && k.stride() == v.stride());
  kernels::DenseLayout layout{.type = DenseType::kF32, .tokens = tokens, .head_dim = q.columns() / heads};
  const kernels::DenseKernels* dense = &kernels_.dense_f32;
  if (rounding == Rounding::kInt8) {
    layout.type = DenseType::kInt8;
    dense = &kernels_.dense_int8;
  } else if (rounding == Rounding::kBf16 && bf16_kernels_ != nullptr) {
    layout.type = DenseType::kBf16;
    dense = &bf16_kernels_->dense_bf16;
  }
  grow(heads_, heads * layout.bytes());
  for (HugeBuffer& scratch : scratch_) grow(scratch, kernels::dense_scratch_bytes(layout));
  const auto head_at = [&](std::size_t head) { return heads_.data() + head * layout.bytes(); };

  pool_.run(heads, [&](std::size_t head, std::size_t) {
    const std::size_t column = head * layout.head_dim;
    dense->pack({k.data() + column, v.data() + column, k.stride()}, layout, head_at(head));
  });
  const std::size_t tiles = ceil_div(tokens, kernels::kDenseQueries);
  pool_.run(heads * tiles, [&](std::size_t task, std::size_t thread) {
    const std::size_t column = task / tiles * layout.head_dim;
    const std::size_t first = task % tiles * kernels::kDenseQueries;
    dense->attend({.layout = &layout,
                   .head = head_at(task / tiles),
                   .queries = q.row(first).data() + column,
                   .query_stride = q.stride(),
                   .query_count = std::min(kernels::kDenseQueries, tokens - first),
                   .out = out.row(first).data() + column,
                   .out_stride = out.stride(),
                   .scratch = scratch_[thread].data()});
  });
}

}  // namespace carat::backend
