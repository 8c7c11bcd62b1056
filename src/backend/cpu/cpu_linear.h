#pragma once

#include <span>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/cpu_low_rank.h"
#include "backend/cpu/packed_linear.h"
#include "backend/cpu/quantized_rows.h"
#include "kernels/kernels.h"
#include "parallel/thread_pool.h"
#include "tensor/matrix.h"

namespace carat::backend {

// Groups of matrix products that share an input: the input is quantized once, and the panels of all products
// are one list of tasks.
class CpuLinear {
 public:
  // bf16_kernels: those of a level with bfloat16 dot products for inputs that allow them, or null.
  CpuLinear(const kernels::Kernels& kernels, const kernels::Kernels* bf16_kernels, parallel::ThreadPool& pool,
            bool exact_activations);

  void run(const LinearInput& input, std::span<const LinearCall> calls);

 private:
  // Where the rows of one product go: out, then the second terms' scratch.
  struct Product {
    const PackedLinear* weights = nullptr;
    std::span<const std::uint32_t> wanted;
    std::vector<float*> out;
    std::size_t first_task = 0;
    std::size_t panels_per_task = 1;
  };

  // The kernels that multiply these weights.
  const kernels::Kernels& kernels_for(const LinearInput& input, const PackedLinear& weights) const;
  void prepare_rows(const LinearInput& input, std::span<const LinearCall> calls);
  void multiply(const LinearInput& input, std::span<const LinearCall> calls);
  void run_panels(const kernels::Kernels& kernels, const Product& product, std::size_t task,
                  std::size_t thread);

  const kernels::Kernels& kernels_;
  const kernels::Kernels* bf16_kernels_;
  parallel::ThreadPool& pool_;
  bool exact_activations_;
  QuantizedRows quantized_;
  HugeBuffer rounded_;  // rows in bfloat16, for kernels that take them so
  std::vector<const float*> rows_;
  std::vector<Product> products_;
  std::vector<tensor::OwnedMatrixF32> second_terms_;  // per product
  std::vector<HugeBuffer> scratch_;                   // per thread
  CpuLowRank low_rank_;
};

}  // namespace carat::backend
