#pragma once

#include <vector>

#include "backend/backend.h"
#include "base/huge_buffer.h"
#include "kernels/kernels.h"
#include "parallel/thread_pool.h"

namespace carat::backend {

// Backend::dense_attention: packs the keys and values of each head, then takes tiles of queries, each of
// which sees all of its head. No tile's bits depend on another.
class CpuDenseAttention {
 public:
  // bf16_kernels: those of a level with bfloat16 dot products, or null, where kBf16 is computed in f32.
  CpuDenseAttention(const kernels::Kernels& kernels, const kernels::Kernels* bf16_kernels,
                    parallel::ThreadPool& pool);

  void run(ConstMatrixF32 q, ConstMatrixF32 k, ConstMatrixF32 v, std::size_t heads, Rounding rounding,
           MatrixF32 out);

 private:
  const kernels::Kernels& kernels_;
  const kernels::Kernels* bf16_kernels_;
  parallel::ThreadPool& pool_;
  HugeBuffer heads_;                 // packed, one after another
  std::vector<HugeBuffer> scratch_;  // per thread
};

}  // namespace carat::backend
