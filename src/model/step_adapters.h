#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/batch.h"
#include "model/tensor_table.h"

namespace carat::model {

// The low-rank additions of a step's rows, by layer and matrix, worked out once a step.
class StepAdapters {
 public:
  explicit StepAdapters(std::size_t layers) : ranges_(layers * kTensorIdCount) {}

  void prepare(const Batch& batch);

  // To one matrix of one layer, in the order of the rows, then in that of their adapters. Valid until the
  // next prepare().
  std::span<const backend::LowRank> of(TensorId id, std::size_t layer) const {
    const Range& range = ranges_[layer * kTensorIdCount + static_cast<std::size_t>(id)];
    return std::span(additions_).subspan(range.first, range.count);
  }

 private:
  struct Range {
    std::size_t first = 0;
    std::size_t count = 0;
  };
  // Adjacent rows with the same adapters, of one or several sequences.
  struct Run {
    std::size_t first_row = 0;
    std::size_t row_count = 0;
    AdapterList adapters;
  };

  void find_runs(const Batch& batch);

  std::vector<Run> runs_;
  std::vector<Range> ranges_;  // [layers, kTensorIdCount]
  std::vector<backend::LowRank> additions_;
};

}  // namespace carat::model
