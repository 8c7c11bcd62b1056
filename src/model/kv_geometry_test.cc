#include "model/kv_geometry.h"

#include <gtest/gtest.h>

namespace carat::model {
namespace {

using enum LayerKind;

TEST(KvGeometry, LayersOfAKindLieOneAfterAnotherInItsBlocks) {
  GemmaConfig config;
  config.kv_heads = 2;
  config.head_dim = 24;
  config.sliding_window = 512;
  config.layer_kinds = {kLocal, kLocal, kGlobal, kLocal, kGlobal};
  config.layers = config.layer_kinds.size();
  for (const tensor::KvType type : {tensor::KvType::kF32, tensor::KvType::kF16}) {
    const KvGeometry geometry(config, type);
    // Keys and values of 64 positions and two heads of 24.
    const std::size_t layer_bytes = std::size_t{2 * 64 * 2 * 24} * (type == tensor::KvType::kF32 ? 4 : 2);
    EXPECT_EQ(geometry.shape().layer_bytes(), layer_bytes);
    EXPECT_EQ(geometry.local_block_bytes(), 3 * layer_bytes);
    EXPECT_EQ(geometry.global_block_bytes(), 2 * layer_bytes);
    EXPECT_EQ(geometry.sliding_window(), 512u);
    const std::size_t expected[] = {0, 1, 0, 2, 1};
    for (std::size_t layer = 0; layer < config.layers; ++layer) {
      EXPECT_EQ(geometry.layer_offset(layer), expected[layer] * layer_bytes) << layer;
    }
  }
}

}  // namespace
}  // namespace carat::model
