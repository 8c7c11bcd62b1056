#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/config.h"
#include "tensor/kv_block.h"

namespace carat::model {

// Where each layer's keys and values lie inside the KV blocks. There are two kinds of block: a global one
// holds kKvBlockTokens positions of every global layer, a local one those of every sliding-window layer, so
// that the blocks of local layers can be freed once they leave the window.
class KvGeometry {
 public:
  KvGeometry(const GemmaConfig& config, tensor::KvType type);

  const tensor::KvShape& shape() const { return shape_; }
  std::size_t global_block_bytes() const { return global_layers_ * shape_.layer_bytes(); }
  std::size_t local_block_bytes() const { return local_layers_ * shape_.layer_bytes(); }
  std::size_t sliding_window() const { return sliding_window_; }
  std::size_t layer_offset(std::size_t layer) const { return layer_offsets_[layer]; }

 private:
  tensor::KvShape shape_;
  std::size_t sliding_window_;
  std::size_t global_layers_ = 0;
  std::size_t local_layers_ = 0;
  std::vector<std::size_t> layer_offsets_;  // bytes, [layers]
};

// The block tables of one sequence: entry p / kKvBlockTokens holds position p, null where there is no block.
struct SequenceKv {
  std::span<std::byte* const> global_blocks;
  std::span<std::byte* const> local_blocks;
};

}  // namespace carat::model
