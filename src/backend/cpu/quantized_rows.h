#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "base/huge_buffer.h"
#include "kernels/kernels.h"
#include "parallel/thread_pool.h"

namespace carat::backend {

// Activation rows in int8. A row that needs two terms is followed, after all rows, by a second one that holds
// what the first left over; the product with the weights is the sum of both rows' products.
class QuantizedRows {
 public:
  // The rows with a second term: those marked in `input`, or all of them.
  void quantize(const LinearInput& input, bool all_in_two_terms, const kernels::Kernels& kernels,
                parallel::ThreadPool& pool);

  const kernels::ActivationBlock* blocks() const {
    return reinterpret_cast<const kernels::ActivationBlock*>(storage_.data());
  }
  std::size_t rows() const { return first_terms_ + second_terms_.size(); }
  // second_terms()[i] is the row whose rest lies in row (input rows + i).
  std::span<const std::size_t> second_terms() const { return second_terms_; }

 private:
  HugeBuffer storage_;
  std::size_t first_terms_ = 0;
  std::vector<std::size_t> second_terms_;
};

}  // namespace carat::backend
