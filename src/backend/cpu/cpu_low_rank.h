#pragma once

#include <cstddef>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/packed_linear.h"
#include "base/huge_buffer.h"
#include "kernels/kernels.h"
#include "parallel/thread_pool.h"
#include "tensor/matrix.h"

namespace carat::backend {

// Low-rank additions to linear layers, by the panel kernels of float weights.
class CpuLowRank {
 public:
  CpuLowRank(const kernels::Kernels& kernels, parallel::ThreadPool& pool)
      : kernels_(kernels), pool_(pool), scratch_(pool.size()), added_(pool.size()) {}

  // Adds to rows of out [tokens, rows] what those rows of x [tokens, columns] give. A row's sums depend on
  // that row alone.
  void add(ConstMatrixF32 x, const LowRank& addition, MatrixF32 out);

 private:
  // Panels [first, last) of the weights times up to kLowRankRows rows: out [in.rows(), their rows].
  void multiply(const PackedLinear& weights, std::size_t first, std::size_t last, ConstMatrixF32 in,
                MatrixF32 out, std::size_t thread);
  void grow_scratch(std::size_t bytes);

  const kernels::Kernels& kernels_;
  parallel::ThreadPool& pool_;
  tensor::OwnedMatrixF32 narrow_;              // down x, [rows of the addition, rank]
  std::vector<HugeBuffer> scratch_;            // per thread, of the kernels
  std::vector<tensor::OwnedMatrixF32> added_;  // per thread, what one task adds
};

}  // namespace carat::backend
