#include "model/kv_geometry.h"

namespace carat::model {

KvGeometry::KvGeometry(const GemmaConfig& config, tensor::KvType type)
    : shape_{type, config.kv_heads, config.head_dim}, sliding_window_(config.sliding_window) {
  layer_offsets_.reserve(config.layers);
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    std::size_t& same_kind_before = config.is_global(layer) ? global_layers_ : local_layers_;
    layer_offsets_.push_back(same_kind_before * shape_.layer_bytes());
    ++same_kind_before;
  }
}

}  // namespace carat::model
