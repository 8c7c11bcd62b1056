#include "model/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <ostream>

#include "formats/test_files.h"

namespace carat::model {
namespace {

using formats::is_error;

GemmaConfig tiny() {
  GemmaConfig config;
  config.layers = 2;
  config.d_model = 8;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 2;
  config.ffn = 1;
  config.vocab = 1;
  config.max_context = 1;
  config.sliding_window = 1;
  config.query_scale = 0.5F;
  config.layer_kinds = periodic_layer_kinds(2, 6);
  return config;
}

TEST(GemmaConfig, TheSmallestShapeIsValid) {
  const auto result = validate(tiny(), "file");
  EXPECT_TRUE(result) << result.error().message;
}

struct BadConfig {
  const char* name;
  std::function<void(GemmaConfig&)> spoil;
  const char* message;

  friend void PrintTo(const BadConfig& test, std::ostream* out) { *out << test.name; }
};

class GemmaConfigRefuses : public testing::TestWithParam<BadConfig> {};

TEST_P(GemmaConfigRefuses, WithAMessageThatSaysWhy) {
  GemmaConfig config = tiny();
  GetParam().spoil(config);
  EXPECT_TRUE(is_error(validate(config, "model file"), ErrorKind::kInvalidModel,
                       {"model file: ", GetParam().message}));
}

INSTANTIATE_TEST_SUITE_P(
    Field, GemmaConfigRefuses,
    testing::Values(
        BadConfig{"NoLayers", [](auto& c) { c.layers = 0; }, "layers: expected 1 to 128, found 0"},
        BadConfig{"ManyLayers", [](auto& c) { c.layers = 129; }, "layers: expected 1 to 128, found 129"},
        BadConfig{"NoWidth", [](auto& c) { c.d_model = 0; }, "d_model"},
        BadConfig{"Width", [](auto& c) { c.d_model = 16'385; }, "d_model: expected 1 to 16384, found 16385"},
        BadConfig{"NoHeads", [](auto& c) { c.heads = 0; }, "query heads"},
        BadConfig{"NoKvHeads", [](auto& c) { c.kv_heads = 0; }, "KV heads: expected 1 to 4, found 0"},
        BadConfig{"MoreKvHeads", [](auto& c) { c.kv_heads = 8; }, "KV heads: expected 1 to 4, found 8"},
        BadConfig{"UnevenHeads", [](auto& c) { c.kv_heads = 3; }, "4 query heads cannot share 3 KV heads"},
        BadConfig{"OddHead", [](auto& c) { c.head_dim = 3; }, "head_dim: expected an even number, found 3"},
        BadConfig{"NoHeadDim", [](auto& c) { c.head_dim = 0; }, "head_dim: expected 2 to 512, found 0"},
        BadConfig{"NoFfn", [](auto& c) { c.ffn = 0; }, "ffn"},
        BadConfig{"Vocab", [](auto& c) { c.vocab = 300'001; }, "vocabulary rows"},
        BadConfig{"NoContext", [](auto& c) { c.max_context = 0; }, "context length"},
        BadConfig{"NoWindow", [](auto& c) { c.sliding_window = 0; }, "sliding window"},
        BadConfig{"Pattern", [](auto& c) { c.layer_kinds.resize(3); }, "3 entries for 2 layers"},
        BadConfig{"Epsilon", [](auto& c) { c.norm_epsilon = 0; }, "epsilon"},
        BadConfig{"ThetaNan", [](auto& c) { c.rope_theta_local = std::nanf(""); }, "local RoPE theta"},
        BadConfig{"Theta", [](auto& c) { c.rope_theta_global = 0; }, "global RoPE theta"},
        BadConfig{"Factor", [](auto& c) { c.rope_factor_global = 0; }, "RoPE scaling factor"},
        BadConfig{"QueryScale", [](auto& c) { c.query_scale = std::numeric_limits<float>::infinity(); },
                  "query scale"}),
    [](const auto& test) { return test.param.name; });

TEST(GemmaConfig, EmbeddingScaleExactAndAsBf16) {
  struct Case {
    std::size_t d_model;
    float exact;  // to six digits
    float bf16;
  };
  for (const Case& size :
       {Case{640, 25.2982F, 25.25F}, Case{1152, 33.9411F, 34.0F}, Case{2560, 50.5964F, 50.5F},
        Case{3840, 61.9677F, 62.0F}, Case{5376, 73.3212F, 73.5F}}) {
    GemmaConfig config;
    config.d_model = size.d_model;
    EXPECT_NEAR(config.embedding_scale(), size.exact, 1e-4F);
    config.embedding_scale_bf16 = true;
    EXPECT_EQ(config.embedding_scale(), size.bf16);
  }
}

TEST(GemmaConfig, PeriodicLayerKinds) {
  using enum LayerKind;
  EXPECT_EQ(periodic_layer_kinds(3, 1), (std::vector{kGlobal, kGlobal, kGlobal}));
  EXPECT_EQ(periodic_layer_kinds(5, 2), (std::vector{kLocal, kGlobal, kLocal, kGlobal, kLocal}));
  EXPECT_EQ(periodic_layer_kinds(2, std::numeric_limits<std::uint32_t>::max()),
            (std::vector{kLocal, kLocal}));
}

}  // namespace
}  // namespace carat::model
