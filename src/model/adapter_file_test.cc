#include "model/adapter_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "formats/test_files.h"
#include "model/test_tiny_adapter.h"

namespace carat::model {
namespace {

using formats::GgufWriter;
using formats::is_error;

constexpr const char* kDownName = "base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight";
constexpr const char* kUpName = "base_model.model.model.layers.1.self_attn.k_proj.lora_B.weight";

class AdapterFileTest : public testing::Test {
 protected:
  static TinyAdapter tiny() {
    return {.base = {.layers = 2,
                     .d_model = 8,
                     .heads = 3,
                     .kv_heads = 1,
                     .head_dim = 4,
                     .ffn = 10,
                     .vocab = 12,
                     .max_context = 64}};
  }

  Result<AdapterFile> open_peft(const TinyAdapter& adapter) const {
    folder_.write("adapter_config.json", adapter.peft_config());
    folder_.write("adapter_model.safetensors", adapter.safetensors());
    return AdapterFile::open(folder_.path());
  }
  Result<AdapterFile> open_gguf(const TinyAdapter& adapter) const {
    return AdapterFile::open(folder_.write("adapter.gguf", adapter.gguf()));
  }

  formats::TestFolder folder_;
};

TEST_F(AdapterFileTest, FindsEveryMatrixInBothFormats) {
  const TinyAdapter adapter = tiny();
  const auto peft = open_peft(adapter);
  ASSERT_TRUE(peft) << peft.error().message;
  const auto gguf = open_gguf(adapter);
  ASSERT_TRUE(gguf) << gguf.error().message;
  EXPECT_EQ(peft->format(), AdapterFormat::kPeft);
  EXPECT_EQ(gguf->format(), AdapterFormat::kGguf);
  for (const auto* file : {&*peft, &*gguf}) {
    ASSERT_EQ(file->entries().size(), 14U);
    for (std::size_t i = 0; i < 14; ++i) {
      const AdapterEntry& entry = file->entries()[i];
      EXPECT_EQ(entry.layer, i / 7);
      EXPECT_EQ(entry.id, adapted_tensors()[i % 7]);
      EXPECT_EQ(entry.rank(), 3U);
      EXPECT_EQ(entry.scale, 2.0F);
      EXPECT_EQ(entry.down.columns, extent(info(entry.id).columns, adapter.base));
      EXPECT_EQ(entry.up.rows, extent(info(entry.id).rows, adapter.base));
      EXPECT_EQ(entry.up.columns, 3U);
    }
    EXPECT_TRUE(file->check_base(adapter.base, "tiny"));
  }
}

TEST_F(AdapterFileTest, APeftAdapterIsNamedByItsFolderOrAFileInIt) {
  ASSERT_TRUE(open_peft(tiny()));
  for (const char* file : {"adapter_config.json", "adapter_model.safetensors"}) {
    EXPECT_TRUE(AdapterFile::open(folder_.path(file))) << file;
    EXPECT_TRUE(is_adapter(folder_.path(file))) << file;
  }
  EXPECT_TRUE(is_adapter(folder_.path()));
  EXPECT_TRUE(is_adapter(folder_.write("a.gguf", tiny().gguf())));
  EXPECT_FALSE(is_adapter(folder_.write("b.gguf", "GGUF")));
  EXPECT_FALSE(is_adapter(folder_.path("none")));
  EXPECT_FALSE(is_adapter(formats::TestFolder().path()));
}

// The same adapter, as saved from different classes and versions of transformers and PEFT.
TEST_F(AdapterFileTest, PrefixesOfAllModelClassesAreKnown) {
  for (const char* prefix : {"base_model.model.model.", "base_model.model.model.language_model.",
                             "base_model.model.language_model.model.", "base_model.language_model.model.",
                             "base_model.model.language_model.", "base_model.model.", "model.", ""}) {
    TinyAdapter adapter = tiny();
    adapter.peft_prefix = prefix;
    const auto file = open_peft(adapter);
    EXPECT_TRUE(file) << prefix << ": " << file.error().message;
  }
}

TEST_F(AdapterFileTest, TheHashIsThatOfWhatIsComputed) {
  const auto hash_of = [](const Result<AdapterFile>& file) {
    return to_hex(file.value().content_hash().value());
  };
  const std::string usual = hash_of(open_peft(tiny()));
  EXPECT_EQ(hash_of(open_gguf(tiny())), usual);
  TinyAdapter renamed = tiny();
  renamed.peft_prefix = "base_model.model.model.language_model.";
  EXPECT_EQ(hash_of(open_peft(renamed)), usual);

  const std::function<void(TinyAdapter&)> changes[] = {
      [](TinyAdapter& a) { a.alpha = 5.0F; },
      [](TinyAdapter& a) { a.value_scale = 0.25F; },
      [](TinyAdapter& a) { a.targets.pop_back(); },
      [](TinyAdapter& a) { a.rank = 2, a.alpha = 4.0F; },
      [](TinyAdapter& a) { a.more_config = R"(,"use_rslora":true)"; },
      [](TinyAdapter& a) { a.more_config = R"(,"alpha_pattern":{"layers.1.mlp.up_proj":7})"; },
      // up and gate have the same shapes
      [](TinyAdapter& a) {
        for (const char* half : {"A", "B"}) {
          const auto name = [&](const char* id) {
            return fmt::format("base_model.model.model.layers.0.mlp.{}_proj.lora_{}.weight", id, half);
          };
          a.names[name("up")] = name("gate");
          a.names[name("gate")] = name("up");
        }
      },
  };
  for (std::size_t i = 0; i < std::size(changes); ++i) {
    TinyAdapter changed = tiny();
    changes[i](changed);
    EXPECT_NE(hash_of(open_peft(changed)), usual) << "change " << i;
  }
}

TEST_F(AdapterFileTest, RanksAndScalesOfSingleModules) {
  TinyAdapter adapter = tiny();
  adapter.more_config = R"(,"rank_pattern":{"layers.1.self_attn.k_proj":2},"alpha_pattern":{"k_proj":3})";
  adapter.shapes = {{kDownName, {2, 8}}, {kUpName, {4, 2}}};
  const auto file = open_peft(adapter);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->entries()[1].scale, 1.0F);  // layer 0: 3 / 3
  EXPECT_EQ(file->entries()[8].scale, 1.5F);  // layer 1: 3 / 2
  EXPECT_EQ(file->entries()[9].scale, 2.0F);

  adapter.more_config = "";
  EXPECT_TRUE(is_error(open_peft(adapter), ErrorKind::kInvalidModel, {kDownName, "rank 2", "says 3"}));
}

TEST_F(AdapterFileTest, AdaptersOfOtherModelsAreRefusedWithBothShapes) {
  const auto file = open_peft(tiny());
  ASSERT_TRUE(file) << file.error().message;
  GemmaConfig wider = tiny().base;
  wider.ffn = 11;
  EXPECT_TRUE(is_error(file->check_base(wider, "the 1B"), ErrorKind::kInvalidModel,
                       {"tiny/base", "gate_proj of layer 0", "[10, 8]", "the 1B", "[11, 8]"}));
  GemmaConfig narrower = tiny().base;
  narrower.d_model = 4;
  EXPECT_TRUE(is_error(file->check_base(narrower, "x"), ErrorKind::kInvalidModel, {"[12, 8]", "[12, 4]"}));
  GemmaConfig shallower = tiny().base;
  shallower.layers = 1;
  EXPECT_TRUE(
      is_error(file->check_base(shallower, "x"), ErrorKind::kInvalidModel, {"layer 1", "has 1 layers"}));
}

TEST_F(AdapterFileTest, MatricesThatDoNotFitTogetherAreRefused) {
  const auto with_shapes = [this](std::vector<std::uint64_t> down, std::vector<std::uint64_t> up) {
    TinyAdapter adapter = tiny();
    adapter.shapes = {{kDownName, std::move(down)}, {kUpName, std::move(up)}};
    return open_peft(adapter);
  };
  EXPECT_TRUE(
      is_error(with_shapes({3, 8}, {4, 2}), ErrorKind::kInvalidModel, {kDownName, "[3, 8]", "[4, 2]"}));
  EXPECT_TRUE(is_error(with_shapes({8, 3}, {3, 4}), ErrorKind::kInvalidModel, {"[8, 3]", "[3, 4]"}));
  EXPECT_TRUE(is_error(with_shapes({24}, {4, 3}), ErrorKind::kInvalidModel, {kDownName, "matrix", "[24]"}));
  EXPECT_TRUE(is_error(with_shapes({0, 8}, {4, 0}), ErrorKind::kInvalidModel, {"[0, 8]"}));

  TinyAdapter adapter = tiny();
  adapter.shapes = {{"blk.0.attn_k.weight.lora_a", {1025, 8}}, {"blk.0.attn_k.weight.lora_b", {4, 1025}}};
  EXPECT_TRUE(is_error(open_gguf(adapter), ErrorKind::kInvalidModel, {"at most 1024", "1025"}));
}

TEST_F(AdapterFileTest, HalvesMustComeInPairs) {
  TinyAdapter adapter = tiny();
  adapter.without = {kUpName};
  EXPECT_TRUE(is_error(open_peft(adapter), ErrorKind::kInvalidModel, {kDownName, "without its up"}));
  adapter.without = {kDownName};
  EXPECT_TRUE(is_error(open_peft(adapter), ErrorKind::kInvalidModel, {kUpName, "without its down"}));
  adapter = tiny();
  adapter.names = {
      {kDownName, "base_model.model.model.language_model.layers.0.self_attn.k_proj.lora_A.weight"}};
  EXPECT_TRUE(is_error(open_peft(adapter), ErrorKind::kInvalidModel, {"same matrix"}));
  adapter = tiny();
  adapter.targets = {};
  EXPECT_TRUE(is_error(open_peft(adapter), ErrorKind::kInvalidModel, {"no tensors"}));
}

TEST_F(AdapterFileTest, WhatIsNoMatrixOfTheDecoderIsRefusedByName) {
  const std::pair<const char*, const char*> cases[] = {
      {"base_model.model.lm_head.lora_A.weight", "embedding or the head"},
      {"base_model.model.model.embed_tokens.lora_embedding_A", "embedding or the head"},
      {"base_model.model.model.embed_tokens.weight", "embedding or the head"},
      {"base_model.model.model.vision_tower.vision_model.encoder.layers.1.self_attn.k_proj.lora_A.weight",
       "image tower"},
      {"base_model.model.multi_modal_projector.lora_A.weight", "image tower"},
      {"base_model.model.model.layers.1.self_attn.k_proj.lora_magnitude_vector", "DoRA"},
      {"base_model.model.model.layers.1.input_layernorm.lora_A.weight", "no half of a LoRA addition"},
      {"base_model.model.model.layers.01.self_attn.k_proj.lora_A.weight", "no half of a LoRA addition"},
      {"base_model.model.model.layers..self_attn.k_proj.lora_A.weight", "no half of a LoRA addition"},
      {"base_model.model.model.layers.9999.self_attn.k_proj.lora_A.weight", "no half of a LoRA addition"},
      {"base_model.model.model.layers.-1.self_attn.k_proj.lora_A.weight", "no half of a LoRA addition"},
      {"base_model.model.model.layers.1.self_attn.k_proj.weight", "no half of a LoRA addition"},
      {"lora_A.weight", "no half of a LoRA addition"},
      {".lora_B.weight", "no half of a LoRA addition"},
  };
  for (const auto& [name, reason] : cases) {
    TinyAdapter adapter = tiny();
    adapter.names = {{kDownName, name}};
    EXPECT_TRUE(is_error(open_peft(adapter), ErrorKind::kInvalidModel, {name, reason, "target_modules"}));
  }
  for (const auto& [name, reason] :
       {std::pair("token_embd.weight.lora_a", "embedding or the head"),
        std::pair("output.weight.lora_a", "head"), std::pair("v.blk.0.attn_q.weight.lora_a", "image tower"),
        std::pair("blk.0.attn_q.lora_a", "no half"), std::pair("blk.0.attn_norm.weight", "no half")}) {
    TinyAdapter adapter = tiny();
    adapter.names = {{"blk.1.attn_k.weight.lora_a", name}};
    EXPECT_TRUE(is_error(open_gguf(adapter), ErrorKind::kInvalidModel, {name, reason}));
  }
}

TEST_F(AdapterFileTest, OtherElementTypesAreRefused) {
  TinyAdapter adapter = tiny();
  adapter.base.d_model = 64;
  adapter.targets = {TensorId::kQProj};
  adapter.rank = 32;
  adapter.type = tensor::ElementType::kQ8_0;
  EXPECT_TRUE(is_error(open_gguf(adapter), ErrorKind::kInvalidModel, {"F32, F16 or BF16", "Q8_0"}));
}

TEST_F(AdapterFileTest, MissingFilesAreNamed) {
  EXPECT_TRUE(is_error(AdapterFile::open(folder_.path("none")), ErrorKind::kNotFound, {"none"}));
  EXPECT_TRUE(is_error(AdapterFile::open(folder_.path()), ErrorKind::kInvalidModel, {"adapter_config.json"}));
  folder_.write("adapter_config.json", tiny().peft_config());
  EXPECT_TRUE(
      is_error(AdapterFile::open(folder_.path()), ErrorKind::kNotFound, {"adapter_model.safetensors"}));
  folder_.write("adapter_model.bin", "PK");
  EXPECT_TRUE(is_error(AdapterFile::open(folder_.path()), ErrorKind::kInvalidModel,
                       {"pickle", "safe_serialization=True"}));
  EXPECT_TRUE(is_error(AdapterFile::open(folder_.write("text.gguf", "hello")), ErrorKind::kInvalidModel, {}));
}

}  // namespace
}  // namespace carat::model
