#include "model/adapter_config.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>

#include "formats/gguf_writer.h"
#include "formats/test_files.h"

namespace carat::model {
namespace {

using formats::GgufWriter;
using formats::is_error;

// A configuration as PEFT 0.21 writes it, with more members behind it (a later one of the same name counts).
Result<AdapterConfig> peft(const std::string& more = "") {
  return adapter_config_from_peft(
      R"({"alora_invocation_tokens":null,"alpha_pattern":{},"arrow_config":null,"auto_mapping":null,)"
      R"("base_model_name_or_path":"google/gemma-3-1b-it","bias":"none","corda_config":null,)"
      R"("ensure_weight_tying":false,"eva_config":null,"exclude_modules":null,"fan_in_fan_out":false,)"
      R"("inference_mode":true,"init_lora_weights":true,"kasa_config":null,"layer_replication":null,)"
      R"("layers_pattern":null,"layers_to_transform":null,"loftq_config":{},"lora_alpha":16,)"
      R"("lora_bias":false,"lora_dropout":0.05,"megatron_config":null,"megatron_core":"megatron.core",)"
      R"("modules_to_save":null,"peft_type":"LORA","peft_version":"0.21.2","qalora_group_size":16,"r":8,)"
      R"("rank_pattern":{},"revision":null,"target_modules":["q_proj","v_proj"],"target_parameters":null,)"
      R"("task_type":"CAUSAL_LM","trainable_token_indices":null,"use_bdlora":null,"use_dora":false,)"
      R"("use_qalora":false,"use_rslora":false)" +
          more + "}",
      "adapter_config.json");
}

TEST(PeftAdapterConfig, ReadsRankAndAlpha) {
  const auto config = peft();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->rank, 8U);
  EXPECT_EQ(config->base_model, "google/gemma-3-1b-it");
  EXPECT_EQ(config->scale_of("model.layers.0.self_attn.q_proj", 8), 2.0F);
  EXPECT_EQ(config->scale_of("model.layers.0.self_attn.q_proj", 4), 4.0F);
}

TEST(PeftAdapterConfig, RankStabilizedScalesDivideByTheRoot) {
  const auto config = peft(R"(,"use_rslora":true)");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_FLOAT_EQ(config->scale_of("q_proj", 8), static_cast<float>(16 / std::sqrt(8.0)));
}

TEST(PeftAdapterConfig, PatternsGoByTheEndOfAModulesName) {
  const auto config = peft(R"(,"rank_pattern":{"layers.1.self_attn.q_proj":4,"q_proj":16},)"
                           R"("alpha_pattern":{"mlp.up_proj":3.5,"k_proj":-1})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->rank_of("model.layers.1.self_attn.q_proj"), 4U);
  EXPECT_EQ(config->rank_of("model.layers.11.self_attn.q_proj"), 16U);  // "layers.1" is no end of "layers.11"
  EXPECT_EQ(config->rank_of("q_proj"), 16U);
  EXPECT_EQ(config->rank_of("model.layers.0.self_attn.x_q_proj"), 8U);  // PEFT wants a whole part of the name
  EXPECT_EQ(config->scale_of("model.layers.1.mlp.up_proj", 7), 0.5F);
  EXPECT_EQ(config->scale_of("model.layers.1.self_attn.k_proj", 2), -0.5F);
  EXPECT_EQ(config->scale_of("model.layers.1.self_attn.v_proj", 2), 8.0F);
}

TEST(PeftAdapterConfig, WhatIsMoreThanLoraIsRefusedByName) {
  const std::array<std::pair<std::string, std::string>, 13> extensions = {{
      {"use_dora", "true"},
      {"modules_to_save", R"(["lm_head"])"},
      {"lora_bias", "true"},
      {"fan_in_fan_out", "true"},
      {"trainable_token_indices", "[1]"},
      {"target_parameters", R"(["experts.weight"])"},
      {"layer_replication", "[[0,4]]"},
      {"alora_invocation_tokens", "[5]"},
      {"arrow_config", R"({"top_k":3})"},
      {"use_qalora", "true"},
      {"use_bdlora", R"({"nblocks":2})"},
      {"kasa_config", R"({"beta":1})"},
      {"monteclora_config", R"({"num_samples":1})"},
  }};
  for (const auto& [member, value] : extensions) {
    const auto config = peft(fmt::format(R"(,"{}":{})", member, value));
    EXPECT_TRUE(is_error(config, ErrorKind::kInvalidModel,
                         {"adapter_config.json", member, "not supported", "merge_and_unload"}));
  }
  EXPECT_TRUE(is_error(peft(R"(,"use_dora":true)"), ErrorKind::kInvalidModel, {"DoRA"}));
  EXPECT_TRUE(is_error(peft(R"(,"bias":"lora_only")"), ErrorKind::kInvalidModel, {"bias", "lora_only"}));
  EXPECT_TRUE(is_error(peft(R"(,"peft_type":"IA3")"), ErrorKind::kInvalidModel, {"peft_type", "IA3"}));
  EXPECT_TRUE(is_error(peft(R"(,"peft_type":null)"), ErrorKind::kInvalidModel, {"peft_type"}));
}

// Their base model's weights are changed when training begins, so the matrices alone are not the adapter.
TEST(PeftAdapterConfig, StartsThatChangeTheBaseAreRefused) {
  for (const char* start : {"pissa", "pissa_niter_4", "olora", "loftq", "corda", "lora_ga"}) {
    EXPECT_TRUE(is_error(peft(fmt::format(R"(,"init_lora_weights":"{}")", start)), ErrorKind::kInvalidModel,
                         {"init_lora_weights", start, "path_initial_model_for_weight_conversion"}));
  }
  for (const char* start : {"\"gaussian\"", "\"eva\"", "\"orthogonal\"", "false", "null"}) {
    EXPECT_TRUE(peft(fmt::format(R"(,"init_lora_weights":{})", start))) << start;
  }
}

TEST(PeftAdapterConfig, NumbersOutOfRangeAreRefused) {
  EXPECT_TRUE(peft(R"(,"r":1024)"));
  for (const char* rank : {"0", "1025", "-1", "1.5", "18446744073709551616", "null", "\"8\""}) {
    EXPECT_TRUE(is_error(peft(fmt::format(R"(,"r":{})", rank)), ErrorKind::kInvalidModel, {"r:"})) << rank;
  }
  for (const char* alpha : {"0", "1e99", "null", "[]"}) {
    EXPECT_TRUE(
        is_error(peft(fmt::format(R"(,"lora_alpha":{})", alpha)), ErrorKind::kInvalidModel, {"lora_alpha"}));
  }
  EXPECT_TRUE(is_error(peft(R"(,"rank_pattern":{"q_proj":0})"), ErrorKind::kInvalidModel,
                       {"rank_pattern.q_proj", "found 0"}));
  EXPECT_TRUE(is_error(peft(R"(,"rank_pattern":[])"), ErrorKind::kInvalidModel, {"rank_pattern"}));
  for (const char* key : {"", "layers\\\\.[0-9]+", "^q_proj", "(a+)+$"}) {
    EXPECT_TRUE(is_error(peft(fmt::format(R"(,"alpha_pattern":{{"{}":1}})", key)), ErrorKind::kInvalidModel,
                         {"alpha_pattern", "plain"}))
        << key;
  }
}

TEST(PeftAdapterConfig, TextThatIsNoObjectIsRefused) {
  for (const char* text : {"", "[]", "{", "null"}) {
    EXPECT_TRUE(is_error(adapter_config_from_peft(text, "a.json"), ErrorKind::kInvalidModel, {"a.json"}));
  }
}

Result<AdapterConfig> gguf(const std::function<void(GgufWriter&)>& set) {
  GgufWriter writer;
  set(writer);
  return adapter_config_from_gguf(*formats::read_gguf(formats::in_memory(writer.finish())));
}

void set_plain(GgufWriter& writer) {
  writer.set_string("general.type", "adapter");
  writer.set_string("general.architecture", "gemma3");
  writer.set_string("adapter.type", "lora");
}

TEST(GgufAdapterConfig, ReadsAlpha) {
  const auto config = gguf([](GgufWriter& writer) {
    set_plain(writer);
    writer.set_f32("adapter.lora.alpha", 32.0F);
  });
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->rank_of("blk.0.attn_q.weight"), 0U);
  EXPECT_EQ(config->scale_of("blk.0.attn_q.weight", 8), 4.0F);
}

// llama.cpp's rule.
TEST(GgufAdapterConfig, WithoutAlphaTheScaleIsOne) {
  const auto config = gguf(set_plain);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->scale_of("blk.0.attn_q.weight", 8), 1.0F);
}

TEST(GgufAdapterConfig, OtherFilesAreRefused) {
  const auto with = [](std::string_view key, std::string_view value) {
    return gguf([&](GgufWriter& writer) {
      for (const auto& [other, usual] :
           {std::pair("general.type", "adapter"), std::pair("general.architecture", "gemma3"),
            std::pair("adapter.type", "lora")}) {
        writer.set_string(other, key == other ? value : usual);
      }
    });
  };
  EXPECT_TRUE(is_error(with("general.type", "model"), ErrorKind::kInvalidModel, {"general.type", "model"}));
  EXPECT_TRUE(
      is_error(with("adapter.type", "control"), ErrorKind::kInvalidModel, {"adapter.type", "control"}));
  EXPECT_TRUE(is_error(with("general.architecture", "llama"), ErrorKind::kInvalidModel,
                       {"general.architecture", "gemma3", "llama"}));
  EXPECT_TRUE(is_error(gguf([](GgufWriter&) {}), ErrorKind::kInvalidModel, {"general.type"}));
  EXPECT_TRUE(is_error(gguf([](GgufWriter& writer) {
                         set_plain(writer);
                         writer.set_i32_array("adapter.alora.invocation_tokens", std::array{1, 2});
                       }),
                       ErrorKind::kInvalidModel, {"alora"}));
  EXPECT_TRUE(is_error(gguf([](GgufWriter& writer) {
                         set_plain(writer);
                         writer.set_f32("adapter.lora.alpha", INFINITY);
                       }),
                       ErrorKind::kInvalidModel, {"adapter.lora.alpha"}));
}

}  // namespace
}  // namespace carat::model
