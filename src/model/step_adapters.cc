#include "model/step_adapters.h"

#include <algorithm>

#include "base/check.h"
#include "model/adapter.h"

namespace carat::model {

void StepAdapters::find_runs(const Batch& batch) {
  runs_.clear();
  if (batch.adapters.empty()) return;
  CARAT_CHECK(batch.adapters.size() == batch.sequences.size());
  for (std::size_t t = 0; t < batch.rows.size(); ++t) {
    const AdapterList adapters = batch.adapters[batch.rows[t].sequence];
    if (adapters.empty()) continue;
    const bool goes_on = !runs_.empty() && runs_.back().first_row + runs_.back().row_count == t &&
                         std::ranges::equal(runs_.back().adapters, adapters);
    if (!goes_on) runs_.push_back({t, 0, adapters});
    ++runs_.back().row_count;
  }
}

void StepAdapters::prepare(const Batch& batch) {
  find_runs(batch);
  additions_.clear();
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    const auto id = static_cast<TensorId>(i % kTensorIdCount);
    const std::size_t layer = i / kTensorIdCount;
    ranges_[i].first = additions_.size();
    for (const Run& run : runs_) {
      for (const auto& [adapter, weight] : run.adapters) {
        const Adapter::Addition& addition = adapter->addition(id, layer);
        if (!addition.down) continue;
        additions_.push_back(
            {addition.down.get(), addition.up.get(), weight * addition.scale, run.first_row, run.row_count});
      }
    }
    ranges_[i].count = additions_.size() - ranges_[i].first;
  }
}

}  // namespace carat::model
