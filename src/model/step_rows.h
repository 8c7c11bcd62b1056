#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/rope_table.h"
#include "model/step_adapters.h"
#include "tensor/matrix.h"

namespace carat::model {

// What every layer needs to know of a batch's rows, worked out once a step.
class StepRows {
 public:
  explicit StepRows(const GemmaConfig& config);

  void prepare(const Batch& batch);

  // Adjacent rows [first, first + count) of one sequence.
  struct Group {
    std::size_t first = 0;
    std::size_t count = 0;
    std::uint32_t sequence = 0;
  };
  std::span<const Group> groups() const { return groups_; }
  std::span<const std::uint32_t> positions(const Group& group) const {
    return std::span(positions_).subspan(group.first, group.count);
  }
  // The keys that each row of the group may see in a layer of this kind.
  std::span<const tensor::KeyRange> visible(const Group& group, LayerKind kind) const {
    return std::span(kind == LayerKind::kGlobal ? visible_global_ : visible_local_)
        .subspan(group.first, group.count);
  }
  backend::Rotation rotation(LayerKind kind) const;
  // What adapters add to a matrix of a layer.
  std::span<const backend::LowRank> low_rank(TensorId id, std::size_t layer) const {
    return adapters_.of(id, layer);
  }
  // BOS carries outliers through the whole network, so position 0 is what a quantizing backend must not
  // round.
  std::span<const std::uint8_t> outlier_rows() const { return outlier_rows_; }

 private:
  struct Angles {
    RopeTable table;
    tensor::OwnedMatrixF32 cos;  // [tokens, head_dim / 2]
    tensor::OwnedMatrixF32 sin;
  };

  std::size_t sliding_window_;
  std::size_t half_head_dim_;
  Angles local_;
  Angles global_;
  StepAdapters adapters_;
  std::vector<Group> groups_;
  std::vector<std::uint32_t> positions_;
  std::vector<std::uint8_t> outlier_rows_;
  std::vector<tensor::KeyRange> visible_local_;
  std::vector<tensor::KeyRange> visible_global_;
};

}  // namespace carat::model
