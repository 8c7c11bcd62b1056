#include "measure/model_work.h"

#include <gtest/gtest.h>

namespace carat::measure {
namespace {

ModelWork work_of(std::size_t layers, std::size_t d_model, std::size_t heads, std::size_t kv_heads,
                  std::size_t head_dim, std::size_t ffn, std::size_t window) {
  ModelWork work;
  work.config.layers = layers;
  work.config.d_model = d_model;
  work.config.heads = heads;
  work.config.kv_heads = kv_heads;
  work.config.head_dim = head_dim;
  work.config.ffn = ffn;
  work.config.vocab = 262'144;
  work.config.sliding_window = window;
  work.config.layer_kinds = model::periodic_layer_kinds(layers, 6);
  return work;
}

TEST(ModelWork, ParameterCountsAreThoseOfTheGemma3Report) {
  const ModelWork small = work_of(18, 640, 4, 1, 256, 2048, 512);
  EXPECT_EQ(small.non_embedding_parameters(), 100'326'016U);
  EXPECT_EQ(small.embedding_parameters(), 167'772'160U);
  EXPECT_EQ(work_of(26, 1152, 4, 1, 256, 6912, 512).non_embedding_parameters(), 697'896'064U);
  EXPECT_EQ(work_of(34, 2560, 8, 4, 256, 10240, 1024).non_embedding_parameters(), 3'209'010'688U);
  EXPECT_EQ(work_of(48, 3840, 16, 8, 256, 15360, 1024).non_embedding_parameters(), 10'759'155'456U);
  EXPECT_EQ(work_of(62, 5376, 32, 16, 128, 21504, 1024).non_embedding_parameters(), 25'599'716'096U);
}

TEST(ModelWork, LocalLayersReadTheirWindowOnly) {
  const ModelWork work = work_of(18, 640, 4, 1, 256, 2048, 512);  // 3 global layers, 15 local
  EXPECT_EQ(work.kv_bytes(0), 18U * 2 * 256 * 2);
  EXPECT_EQ(work.kv_bytes(511), 18U * 512 * 2 * 256 * 2);
  EXPECT_EQ(work.kv_bytes(512), (3U * 513 + 15U * 512) * 2 * 256 * 2);
}

TEST(ModelWork, DecodeReadsTheWeightsAndTheGrowingCacheEveryStep) {
  ModelWork work = work_of(18, 640, 4, 1, 256, 2048, 512);
  work.weight_bytes = 1'000'000'000;
  EXPECT_EQ(work.decode_bytes(10, 3),
            3'000'000'000U + work.kv_bytes(10) + work.kv_bytes(11) + work.kv_bytes(12));
  EXPECT_EQ(work.decode_bytes(10, 0), 0U);
}

TEST(ModelWork, OnlyRowsThatWantLogitsPayForTheHead) {
  const ModelWork work = work_of(18, 640, 4, 1, 256, 2048, 512);
  EXPECT_EQ(work.ops(512, 1), 2ULL * 512 * 100'326'016 + 2ULL * 167'772'160);
}

}  // namespace
}  // namespace carat::measure
