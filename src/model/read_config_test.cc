#include "model/read_config.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <ostream>

#include "formats/test_files.h"
#include "model/test_tiny_model.h"

namespace carat::model {
namespace {

using formats::GgufWriter;
using formats::is_error;

// The published sizes: the family's report and the reference implementations.
struct Size {
  const char* name;
  std::uint32_t layers, d_model, heads, kv_heads, head_dim, ffn, window, context, vocab;
  float rope_factor;
  double query_scale;
  std::vector<std::size_t> global_layers;

  friend void PrintTo(const Size& test, std::ostream* out) { *out << test.name; }
};

std::vector<Size> sizes() {
  return {
      {"S270M", 18, 640, 4, 1, 256, 2048, 512, 32'768, 262'144, 1, 1.0 / 16, {5, 11, 17}},
      {"S1B", 26, 1152, 4, 1, 256, 6912, 512, 32'768, 262'144, 1, 1.0 / 16, {5, 11, 17, 23}},
      {"S4B", 34, 2560, 8, 4, 256, 10'240, 1024, 131'072, 262'208, 8, 1.0 / 16, {5, 11, 17, 23, 29}},
      {"S12B",
       48,
       3840,
       16,
       8,
       256,
       15'360,
       1024,
       131'072,
       262'208,
       8,
       1.0 / 16,
       {5, 11, 17, 23, 29, 35, 41, 47}},
      {"S27B",
       62,
       5376,
       32,
       16,
       128,
       21'504,
       1024,
       131'072,
       262'208,
       8,
       0.0771517,
       {5, 11, 17, 23, 29, 35, 41, 47, 53, 59}},
  };
}

void expect_config(const GemmaConfig& config, const Size& size) {
  EXPECT_EQ(config.layers, size.layers);
  EXPECT_EQ(config.d_model, size.d_model);
  EXPECT_EQ(config.heads, size.heads);
  EXPECT_EQ(config.kv_heads, size.kv_heads);
  EXPECT_EQ(config.head_dim, size.head_dim);
  EXPECT_EQ(config.ffn, size.ffn);
  EXPECT_EQ(config.vocab, size.vocab);
  EXPECT_EQ(config.max_context, size.context);
  EXPECT_EQ(config.sliding_window, size.window);
  EXPECT_EQ(config.norm_epsilon, 1e-6F);
  EXPECT_EQ(config.rope_theta_local, 1e4F);
  EXPECT_EQ(config.rope_theta_global, 1e6F);
  EXPECT_EQ(config.rope_factor_global, size.rope_factor);
  EXPECT_NEAR(config.query_scale, size.query_scale, 1e-7);
  EXPECT_FALSE(config.embedding_scale_bf16);
  std::vector<std::size_t> global_layers;
  for (std::size_t i = 0; i < config.layers; ++i) {
    if (config.is_global(i)) global_layers.push_back(i);
  }
  EXPECT_EQ(global_layers, size.global_layers);
}

class EverySize : public testing::TestWithParam<Size> {};
INSTANTIATE_TEST_SUITE_P(ReadConfig, EverySize, testing::ValuesIn(sizes()),
                         [](const auto& test) { return test.param.name; });

// The keys that llama.cpp's converter writes; of the tensors only the embedding, whose rows are the
// vocabulary.
TEST_P(EverySize, FromGguf) {
  const Size& size = GetParam();
  GgufWriter writer;
  writer.set_string("general.architecture", "gemma3");
  writer.set_string("general.name", size.name);
  writer.set_u32("gemma3.context_length", size.context);
  writer.set_u32("gemma3.block_count", size.layers);
  writer.set_u32("gemma3.embedding_length", size.d_model);
  writer.set_u32("gemma3.feed_forward_length", size.ffn);
  writer.set_u32("gemma3.attention.head_count", size.heads);
  writer.set_u32("gemma3.attention.head_count_kv", size.kv_heads);
  writer.set_u32("gemma3.attention.key_length", size.head_dim);
  writer.set_u32("gemma3.attention.value_length", size.head_dim);
  writer.set_f32("gemma3.attention.layer_norm_rms_epsilon", 1e-6F);
  writer.set_u32("gemma3.attention.sliding_window", size.window);
  writer.set_f32("gemma3.rope.freq_base", 1e6F);
  if (size.rope_factor != 1) {
    writer.set_string("gemma3.rope.scaling.type", "linear");
    writer.set_f32("gemma3.rope.scaling.factor", size.rope_factor);
  }
  const std::vector<std::byte> column(std::size_t{2} * size.vocab);
  writer.add_tensor("token_embd.weight", tensor::ElementType::kF16,
                    std::array<std::uint64_t, 2>{size.vocab, 1}, column);
  const auto file = formats::read_gguf(formats::in_memory(writer.finish()));
  ASSERT_TRUE(file) << file.error().message;
  const auto config = config_from_gguf(*file);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->name, size.name);
  expect_config(*config, size);
}

// The two forms in which the family was published: complete and flat, or sparse below text_config.
TEST_P(EverySize, FromPublishedConfigJson) {
  const Size& size = GetParam();
  const std::string scalar = size.layers == 62 ? "168" : "256";
  std::string json;
  if (size.rope_factor == 1) {
    json = fmt::format(
        R"({{"model_type":"gemma3_text","hidden_size":{},"intermediate_size":{},"num_hidden_layers":{},)"
        R"("num_attention_heads":{},"num_key_value_heads":{},"head_dim":{},"vocab_size":{},)"
        R"("max_position_embeddings":{},"rms_norm_eps":1e-06,"rope_theta":1000000,"rope_local_base_freq":10000,)"
        R"("rope_scaling":null,"sliding_window":{},"sliding_window_pattern":6,"query_pre_attn_scalar":{},)"
        R"("hidden_activation":"gelu_pytorch_tanh","attn_logit_softcapping":null,"final_logit_softcapping":null}})",
        size.d_model, size.ffn, size.layers, size.heads, size.kv_heads, size.head_dim, size.vocab,
        size.context, size.window, scalar);
  } else {
    const std::string heads =
        size.heads == 8
            ? ""
            : fmt::format(R"("num_attention_heads":{},"num_key_value_heads":{},)", size.heads, size.kv_heads);
    const std::string of_27b = size.head_dim == 256 ? "" : R"("head_dim":128,"query_pre_attn_scalar":168,)";
    json = fmt::format(
        R"({{"model_type":"gemma3","eos_token_id":[1,106],"vision_config":{{}},"text_config":{{{}{})"
        R"("model_type":"gemma3_text","hidden_size":{},"intermediate_size":{},"num_hidden_layers":{},)"
        R"("rope_scaling":{{"factor":8.0,"rope_type":"linear"}},"sliding_window":{}}}}})",
        heads, of_27b, size.d_model, size.ffn, size.layers, size.window);
  }
  const auto hf = config_from_hf(json, "config.json");
  ASSERT_TRUE(hf) << hf.error().message;
  expect_config(hf->config, size);
  EXPECT_TRUE(hf->tied_head);
}

Result<GemmaConfig> tiny_config(const TinyModel& model) {
  const auto file = formats::read_gguf(formats::in_memory(model.gguf()));
  EXPECT_TRUE(file);
  return config_from_gguf(*file);
}

TEST(ConfigFromGguf, OptionalKeysAreHonoured) {
  const auto config = tiny_config({.add = [](GgufWriter& writer) {
    writer.set_f32("gemma3.attention.scale", 0.3F);
    writer.set_f32("gemma3.rope.freq_base_swa", 777.0F);
    writer.set_f32("gemma3.attention.layer_norm_rms_epsilon", 1e-5F);
    writer.set_u32("gemma3.attention.sliding_window_pattern", 2);
    writer.set_f32("gemma3.final_logit_softcapping", 30.0F);  // wrong in old Ollama files
  }});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->query_scale, 0.3F);
  EXPECT_EQ(config->rope_theta_local, 777.0F);
  EXPECT_EQ(config->norm_epsilon, 1e-5F);
  EXPECT_FALSE(config->is_global(0));
  EXPECT_TRUE(config->is_global(1));
}

TEST(ConfigFromGguf, FilesMadeByOllama) {
  TinyModel model;
  model.config.max_context = 131'072;
  model.without = {"gemma3.attention.key_length", "gemma3.attention.value_length"};
  model.add = [](GgufWriter& writer) {
    writer.set_f32("gemma3.rope.global.freq_base", 5e5F);
    writer.set_f32("gemma3.rope.local.freq_base", 9e3F);
    writer.set_bool_array("gemma3.attention.sliding_window_pattern", {false, true});
  };
  const auto config = tiny_config(model);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->head_dim, 6U);  // from the length of q_norm
  EXPECT_EQ(config->norm_epsilon, 1e-6F);
  EXPECT_EQ(config->rope_theta_global, 5e5F);
  EXPECT_EQ(config->rope_theta_local, 9e3F);
  EXPECT_EQ(config->rope_factor_global, 8.0F);  // no key, but the context of a stretched model
  EXPECT_TRUE(config->is_global(0));
  EXPECT_FALSE(config->is_global(1));
}

TEST(ConfigFromGguf, ScalingTypeNone) {
  TinyModel model;
  model.config.max_context = 131'072;
  model.add = [](GgufWriter& writer) { writer.set_string("gemma3.rope.scaling.type", "none"); };
  EXPECT_EQ(tiny_config(model)->rope_factor_global, 1.0F);
}

TEST(ConfigFromGguf, Errors) {
  constexpr auto kInvalid = ErrorKind::kInvalidModel;
  const auto with = [](std::function<void(GgufWriter&)> add) { return tiny_config({.add = std::move(add)}); };
  const auto without = [](const char* key) { return tiny_config({.without = {key}}); };
  for (const char* key : {"gemma3.block_count", "gemma3.embedding_length", "gemma3.feed_forward_length",
                          "gemma3.context_length", "gemma3.attention.head_count",
                          "gemma3.attention.sliding_window", "general.architecture"}) {
    EXPECT_TRUE(is_error(without(key), kInvalid, {"test file", "lacks", key}));
  }
  EXPECT_TRUE(is_error(without("token_embd.weight"), kInvalid, {"'token_embd.weight' is missing"}));
  EXPECT_TRUE(is_error(with([](auto& w) { w.set_string("gemma3.rope.scaling.type", "yarn"); }), kInvalid,
                       {"expected linear or none, found yarn"}));
  EXPECT_TRUE(is_error(with([](auto& w) { w.set_f32("gemma3.rope.scaling.factor", 0.0F); }), kInvalid,
                       {"RoPE scaling factor"}));
  EXPECT_TRUE(is_error(with([](auto& w) { w.set_u32("gemma3.attention.sliding_window_pattern", 0); }),
                       kInvalid, {"sliding_window_pattern: expected 1 or more"}));
  EXPECT_TRUE(is_error(
      with([](auto& w) { w.set_bool_array("gemma3.attention.sliding_window_pattern", {true, true, false}); }),
      kInvalid, {"3 entries for 2 layers"}));
  EXPECT_TRUE(is_error(
      with([](auto& w) { w.set_f32_array("gemma3.attention.sliding_window_pattern", std::array{1.0F}); }),
      kInvalid, {"sliding_window_pattern: expected an array of bool, found array of 1 f32"}));
  EXPECT_TRUE(is_error(tiny_config({.without = {"gemma3.attention.value_length"},
                                    .add = [](auto& w) { w.set_u32("gemma3.attention.value_length", 4); }}),
                       kInvalid, {"value_length: expected 6, found 4"}));
  EXPECT_TRUE(is_error(tiny_config({.without = {"gemma3.block_count"},
                                    .add = [](auto& w) { w.set_u32("gemma3.block_count", 0xffffffffU); }}),
                       kInvalid, {"layers: expected 1 to 128, found 4294967295"}));
  EXPECT_TRUE(is_error(tiny_config({.without = {"gemma3.attention.head_count"},
                                    .add = [](auto& w) { w.set_u32("gemma3.attention.head_count", 0); }}),
                       kInvalid, {"query heads: expected 1 to 128, found 0"}));
}

TEST(ConfigFromGguf, OtherArchitectures) {
  const auto of = [](const char* architecture) {
    return tiny_config({.without = {"general.architecture"},
                        .add = [&](GgufWriter& w) { w.set_string("general.architecture", architecture); }});
  };
  EXPECT_TRUE(is_error(of("gemma2"), ErrorKind::kInvalidModel, {"expected gemma3, found gemma2"}));
  EXPECT_TRUE(is_error(of("clip"), ErrorKind::kInvalidModel, {"image projector"}));
}

TEST(ConfigFromGguf, TellsInstructionTunedModelsFromBaseOnes) {
  struct Case {
    const char* finetune;
    const char* name;
    bool has_template;
    bool tuned;
    const char* source;
  };
  for (const Case& test :
       {Case{"it", "x", false, true, "general.finetune"}, Case{"pt", "x", true, false, "finetune"},
        Case{"", "Gemma 3 1b It", false, true, "general.name"},
        Case{"", "gemma-3-1b-pt", true, false, "general.name"},
        Case{"", "Gemma 3 270m", false, false, "no chat template"},
        Case{"", "Gemma 3 270m", true, true, "chat template"}}) {
    const auto config = tiny_config({.without = {"general.name"}, .add = [&](GgufWriter& writer) {
                                       writer.set_string("general.name", test.name);
                                       if (*test.finetune)
                                         writer.set_string("general.finetune", test.finetune);
                                       if (test.has_template)
                                         writer.set_string("tokenizer.chat_template", "{{}}");
                                     }});
    ASSERT_TRUE(config);
    EXPECT_EQ(config->instruction_tuned, test.tuned) << test.name;
    EXPECT_NE(config->instruction_tuned_source.find(test.source), std::string::npos);
  }
}

TEST(InstructionTunedByName, GoesByWholeWords) {
  EXPECT_EQ(instruction_tuned_by_name("gemma-3-1b-it"), true);
  EXPECT_EQ(instruction_tuned_by_name("Gemma3_4B_Instruct.gguf"), true);
  EXPECT_EQ(instruction_tuned_by_name("gemma-3-1b-pt-qat"), false);
  EXPECT_EQ(instruction_tuned_by_name("with iteration, italics"), std::nullopt);
  EXPECT_EQ(instruction_tuned_by_name(""), std::nullopt);
}

// A flat config.json of a tiny model, with more members in front.
Result<HfConfig> tiny_hf(std::string_view members) {
  return config_from_hf(
      fmt::format(R"({{{}"model_type":"gemma3_text","hidden_size":8,"intermediate_size":16,)"
                  R"("num_hidden_layers":3,"sliding_window":4,"num_attention_heads":2,)"
                  R"("num_key_value_heads":1}})",
                  members),
      "config.json");
}

TEST(ConfigFromHf, RopeParametersAndLayerTypes) {
  const auto hf = tiny_hf(
      R"("layer_types":["full_attention","sliding_attention","full_attention"],"_sliding_window_pattern":2,)"
      R"("rope_parameters":{"full_attention":{"rope_type":"linear","rope_theta":5e5,"factor":4.0},)"
      R"("sliding_attention":{"rope_type":"default","rope_theta":900.0}},)");
  ASSERT_TRUE(hf) << hf.error().message;
  EXPECT_EQ(hf->config.rope_theta_global, 5e5F);
  EXPECT_EQ(hf->config.rope_factor_global, 4.0F);
  EXPECT_EQ(hf->config.rope_theta_local, 900.0F);
  EXPECT_TRUE(hf->config.is_global(0));
  EXPECT_FALSE(hf->config.is_global(1));
  EXPECT_TRUE(hf->config.is_global(2));
}

TEST(ConfigFromHf, OlderRopeFieldsAndPatterns) {
  const auto hf = tiny_hf(
      R"("sliding_window_pattern":3,"rope_theta":20000,"rope_local_base_freq":500,"tie_word_embeddings":false,)"
      R"("rope_scaling":{"type":"linear","factor":2},"query_pre_attn_scalar":4,)");
  ASSERT_TRUE(hf) << hf.error().message;
  EXPECT_EQ(hf->config.rope_theta_global, 20000.0F);
  EXPECT_EQ(hf->config.rope_theta_local, 500.0F);
  EXPECT_EQ(hf->config.rope_factor_global, 2.0F);
  EXPECT_EQ(hf->config.query_scale, 0.5F);
  EXPECT_TRUE(hf->config.is_global(2));
  EXPECT_FALSE(hf->config.is_global(1));
  EXPECT_FALSE(hf->tied_head);
  EXPECT_TRUE(tiny_hf(R"("_sliding_window_pattern":2,)")->config.is_global(1));
}

TEST(ConfigFromHf, Errors) {
  constexpr auto kInvalid = ErrorKind::kInvalidModel;
  const auto expect = [](std::string_view members, std::string_view message) {
    EXPECT_TRUE(is_error(tiny_hf(members), kInvalid, {"config.json", message})) << members;
  };
  expect(R"("hidden_activation":"relu",)", "hidden_activation: expected gelu_pytorch_tanh, found relu");
  expect(R"("final_logit_softcapping":30.0,)", "final_logit_softcapping: expected null, found 30");
  expect(R"("attention_bias":true,)", "attention_bias: expected false");
  expect(R"("use_bidirectional_attention":true,)", "use_bidirectional_attention");
  expect(R"("layer_types":["full_attention"],)", "1 entries for 3 layers");
  expect(R"("layer_types":["chunked"],)", "layer_types: element 0");
  expect(R"("sliding_window_pattern":0,)", "sliding_window_pattern: expected 1 or more");
  expect(R"("head_dim":-8,)", "head_dim: expected 0 or more, found -8");
  expect(R"("head_dim":"8",)", "head_dim: expected an integer, found string");
  expect(R"("rms_norm_eps":1e300,)", "rms_norm_eps: the number does not fit f32");
  expect(R"("query_pre_attn_scalar":0,)", "query scale");
  expect(R"("query_pre_attn_scalar":-4,)", "query scale");
  expect(R"("rope_scaling":{"rope_type":"yarn"},)", "rope_scaling.rope_type: expected default or linear");
  expect(R"("rope_scaling":{"rope_type":"linear"},)", "rope_scaling.factor: missing");
  expect(R"("rope_parameters":{},)", "rope_parameters.full_attention: missing");
  expect(R"("rope_parameters":{"full_attention":{},"sliding_attention":{"rope_type":"linear"}},)",
         "rope_parameters.sliding_attention.rope_type");
  const auto whole = [](std::string_view json) { return config_from_hf(json, "config.json"); };
  EXPECT_TRUE(is_error(whole("{}"), kInvalid, {"model_type: missing"}));
  EXPECT_TRUE(is_error(whole(R"({"model_type":"llama"})"), kInvalid,
                       {"expected gemma3 or gemma3_text, found llama"}));
  EXPECT_TRUE(is_error(whole(R"({"model_type":"gemma3"})"), kInvalid, {"text_config: missing"}));
  EXPECT_TRUE(is_error(whole(R"({"model_type":"gemma3","text_config":{}})"), kInvalid,
                       {"text_config.num_hidden_layers: missing"}));
  EXPECT_TRUE(is_error(whole(R"({"model_type":"gemma3_text","num_hidden_layers":1000000000000})"), kInvalid,
                       {"layers: expected 1 to 128"}));
}

}  // namespace
}  // namespace carat::model
