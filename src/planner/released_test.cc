#include "planner/released.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "planner/precision.h"
#include "planner/weights.h"

namespace carat::planner {
namespace {

// Parameters as published or counted by hand from the published shapes; embedding at 262,144 rows.
struct Expected {
  ReleasedSize size;
  std::size_t global_layers;
  std::uint64_t layers;
  std::uint64_t embedding;
  float query_scale;
};
constexpr Expected kExpected[] = {
    {ReleasedSize::k270M, 3, 100'326'016, 167'772'160, 0.0625F},
    {ReleasedSize::k1B, 4, 697'896'064, 301'989'888, 0.0625F},
    {ReleasedSize::k4B, 5, 3'209'010'688, 671'088'640, 0.0625F},
    {ReleasedSize::k12B, 8, 10'759'155'456, 1'006'632'960, 0.0625F},
    {ReleasedSize::k27B, 10, 25'599'716'096, 1'409'286'144, 0.0771517F},
};

TEST(ReleasedConfig, HasThePublishedNumberOfParameters) {
  for (const Expected& expected : kExpected) {
    SCOPED_TRACE(name_of(expected.size));
    const model::GemmaConfig config = released_config(expected.size);
    EXPECT_TRUE(model::validate(config, "released").has_value());
    const TextWeights weights = text_weights(config, types_of(Precision::kBf16, config));
    EXPECT_EQ(weights.decoder.parameters, expected.layers);
    EXPECT_EQ(weights.embedding.parameters / config.vocab * 262'144, expected.embedding);
    EXPECT_EQ(std::ranges::count(config.layer_kinds, model::LayerKind::kGlobal), expected.global_layers);
    EXPECT_FLOAT_EQ(config.query_scale, expected.query_scale);
  }
}

TEST(ReleasedConfig, FromFourBillionOnHasAnImageTower) {
  for (const ReleasedSize size : kReleasedSizes) {
    SCOPED_TRACE(name_of(size));
    const model::GemmaConfig config = released_config(size);
    const bool large = size != ReleasedSize::k270M && size != ReleasedSize::k1B;
    ASSERT_EQ(config.vision.has_value(), large);
    EXPECT_EQ(config.rope_factor_global, large ? 8.0F : 1.0F);
    if (!large) continue;
    EXPECT_TRUE(model::validate(*config.vision, "released").has_value());
    // The tower has 416,866,032 parameters, the projector a matrix and a norm.
    EXPECT_EQ(vision_weights(*config.vision, model::VisionPrecision::kBf16).all.parameters,
              416'866'032 + 1152 * config.d_model + 1152);
  }
}

TEST(FindReleased, KnowsTheNamesPeopleUse) {
  for (const char* name : {"4b", "4B", "gemma3:4b", "gemma-3-4b", "gemma-3-4b-it", "google/gemma-3-4b-pt",
                           "google/gemma-3-4b-it-qat-q4_0-gguf", "gemma3:4b-it-qat"}) {
    EXPECT_EQ(find_released(name), ReleasedSize::k4B) << name;
  }
  EXPECT_EQ(find_released("gemma3:270m"), ReleasedSize::k270M);
  EXPECT_EQ(find_released("gemma-3-12b-it"), ReleasedSize::k12B);
}

TEST(FindReleased, RefusesOthers) {
  for (const char* name :
       {"", "b", "4", "40b", "4bit", "gemma3", "gemma2:4b", "llama-4b", "gemma-3-4b.gguf", "/"}) {
    EXPECT_EQ(find_released(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace carat::planner
