#include "model/step_rows.h"

#include <algorithm>

namespace carat::model {
namespace {

// Keys of one row: those up to itself, or up to the end of its own non-causal span, of which the window hides
// the earliest. This is the rule of transformers 5: in the window and (causal or same span). It matters only
// for spans longer than the window, which no published model has.
tensor::KeyRange visible_keys(const Row& row, std::size_t window) {
  const std::uint32_t end = row.position + 1;
  return {end > window ? static_cast<std::uint32_t>(end - window) : 0, std::max(end, row.span.end)};
}

}  // namespace

StepRows::StepRows(const GemmaConfig& config)
    : sliding_window_(config.sliding_window),
      half_head_dim_(config.head_dim / 2),
      local_{RopeTable(config.rope_theta_local, 1.0, config.head_dim, config.max_context), {}, {}},
      global_{
          RopeTable(config.rope_theta_global, config.rope_factor_global, config.head_dim, config.max_context),
          {},
          {}},
      adapters_(config.layers) {}

void StepRows::prepare(const Batch& batch) {
  groups_.clear();
  positions_.clear();
  outlier_rows_.clear();
  visible_local_.clear();
  visible_global_.clear();
  for (const Row& row : batch.rows) {
    CARAT_CHECK(row.sequence < batch.sequences.size());
    if (groups_.empty() || groups_.back().sequence != row.sequence) {
      groups_.push_back({positions_.size(), 0, row.sequence});
    }
    ++groups_.back().count;
    positions_.push_back(row.position);
    outlier_rows_.push_back(row.position == 0 ? 1 : 0);
    visible_local_.push_back(visible_keys(row, sliding_window_));
    visible_global_.push_back(visible_keys(row, std::size_t{row.position} + 1));
  }
  adapters_.prepare(batch);
  for (Angles* angles : {&local_, &global_}) {
    angles->table.fill(positions_, angles->cos.resized(positions_.size(), half_head_dim_),
                       angles->sin.resized(positions_.size(), half_head_dim_));
  }
}

backend::Rotation StepRows::rotation(LayerKind kind) const {
  const Angles& angles = kind == LayerKind::kGlobal ? global_ : local_;
  return {angles.cos.view(), angles.sin.view()};
}

}  // namespace carat::model
