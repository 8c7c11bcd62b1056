#include "model/checkpoint.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "base/test_fixture.h"
#include "formats/test_files.h"
#include "model/test_tiny_model.h"

namespace carat::model {
namespace {

using formats::GgufWriter;
using formats::is_error;

class CheckpointTest : public testing::Test {
 protected:
  Result<Checkpoint> open(const TinyModel& model) {
    return Checkpoint::open(folder_.write("tiny.gguf", model.gguf()));
  }
  // The error of opening it has these texts.
  void expect_error(const TinyModel& model, std::initializer_list<std::string_view> texts) {
    EXPECT_TRUE(is_error(open(model), ErrorKind::kInvalidModel, texts));
    EXPECT_TRUE(is_error(open(model), ErrorKind::kInvalidModel, {folder_.path("tiny.gguf")}));
  }

  formats::TestFolder folder_;
};

void add_vector(GgufWriter& writer, std::string_view name, std::uint64_t extent) {
  const std::vector<float> values(extent, 1.0F);
  writer.add_tensor(name, tensor::ElementType::kF32, std::array{extent}, std::as_bytes(std::span(values)));
}

TEST_F(CheckpointTest, KnowsEveryTensorOfAGgufFile) {
  const TinyModel model;
  const auto checkpoint = open(model);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->config().vocab, 12U);
  for (const TensorInfo& tensor : tensor_table()) {
    const std::size_t layer = tensor.per_layer ? 1 : 0;
    EXPECT_EQ(checkpoint->has(tensor.id, layer), !tensor.optional) << tensor.name;
    if (tensor.optional) continue;
    const auto stored = checkpoint->tensor(tensor.id, layer);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->name, tensor_name(tensor.gguf_name, layer));
    EXPECT_EQ(stored->rows, extent(tensor.rows, model.config));
    EXPECT_EQ(stored->columns, extent(tensor.columns, model.config));
    float first = 0;
    ASSERT_TRUE(stored->source->read_at(stored->offset, std::as_writable_bytes(std::span(&first, 1))));
    EXPECT_EQ(first, 1.0F + 0.1F * std::sin(static_cast<float>(stored->name.size())));
  }
  EXPECT_FALSE(checkpoint->has(TensorId::kQProj, 2));
  EXPECT_TRUE(is_error(checkpoint->tensor(TensorId::kHead), ErrorKind::kInvalidModel, {"head"}));
}

TEST_F(CheckpointTest, GgufNormsAreTheFullGain) {
  const auto checkpoint = open({.first_values = {{"blk.1.attn_norm.weight", 3.5F}}});
  ASSERT_TRUE(checkpoint);
  const auto gain = checkpoint->vector(TensorId::kPreAttnNorm, 1);
  ASSERT_TRUE(gain);
  ASSERT_EQ(gain->size(), 8U);
  EXPECT_EQ((*gain)[0], 3.5F);
}

TEST_F(CheckpointTest, NormsThatAreNotFiniteAreErrors) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    const auto checkpoint = open({.first_values = {{"blk.1.post_ffw_norm.weight", bad}}});
    ASSERT_TRUE(checkpoint);
    EXPECT_TRUE(checkpoint->vector(TensorId::kPostMlpNorm, 0));
    EXPECT_TRUE(is_error(checkpoint->vector(TensorId::kPostMlpNorm, 1), ErrorKind::kInvalidModel,
                         {"tiny.gguf", "blk.1.post_ffw_norm.weight", "value 0", "finite"}));
  }
}

TEST_F(CheckpointTest, MissingUnknownAndWronglyShapedTensors) {
  expect_error({.without = {"blk.1.attn_q.weight"}}, {"'blk.1.attn_q.weight' is missing"});
  expect_error({.without = {"output_norm.weight"}}, {"'output_norm.weight' is missing"});
  expect_error({.shapes = {{"blk.0.ffn_down.weight", {10, 8}}}},
               {"'blk.0.ffn_down.weight': expected shape [8, 10], found [10, 8]"});
  expect_error({.shapes = {{"blk.0.attn_norm.weight", {1, 8}}}}, {"expected shape [8], found [1, 8]"});
  expect_error({.shapes = {{"token_embd.weight", {12, 9}}}}, {"expected shape [12, 8], found [12, 9]"});
  expect_error({.add = [](auto& w) { add_vector(w, "blk.2.attn_norm.weight", 8); }},
               {"'blk.2.attn_norm.weight' is no part of a Gemma 3 model of 2 layers"});
  expect_error({.add = [](auto& w) { add_vector(w, "blk.0.attn_q.bias", 12); }}, {"'blk.0.attn_q.bias'"});
  expect_error({.add = [](auto& w) { add_vector(w, "blk.0.attn_norm.weight", 8); }}, {"occurs twice"});
}

TEST_F(CheckpointTest, AHeadOfItsOwnIsUsed) {
  const std::vector<float> values(12 * 8, 2.0F);
  const auto checkpoint = open({.add = [&](GgufWriter& writer) {
    writer.add_tensor("output.weight", tensor::ElementType::kF32, std::array<std::uint64_t, 2>{12, 8},
                      std::as_bytes(std::span(values)));
  }});
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_TRUE(checkpoint->has(TensorId::kHead));
  expect_error({.add = [](auto& w) { add_vector(w, "output.weight", 8); }},
               {"expected shape [12, 8], found [8]"});
}

TEST_F(CheckpointTest, VocabularyMayBeShorterOrLongerThanTheEmbedding) {
  for (const std::size_t pieces : {5U, 12U, 20U}) {
    const auto checkpoint = open({.pieces = pieces});
    ASSERT_TRUE(checkpoint);
    const auto vocabulary = checkpoint->vocabulary();
    ASSERT_TRUE(vocabulary) << vocabulary.error().message;
    const auto& arrays = std::get<VocabularyArrays>(*vocabulary);
    const std::size_t size = std::min<std::size_t>(pieces, 12);
    ASSERT_EQ(arrays.texts.size(), size);
    ASSERT_EQ(arrays.scores.size(), size);
    ASSERT_EQ(arrays.types.size(), size);
    EXPECT_EQ(arrays.texts[4], "piece4");
    EXPECT_EQ(arrays.scores[4], -4.0F);
    EXPECT_EQ(arrays.types[4], 1);
  }
}

TEST_F(CheckpointTest, VocabulariesOfOtherKindsAreErrors) {
  const auto bpe = open({.without = {"tokenizer.ggml.model"},
                         .add = [](GgufWriter& w) { w.set_string("tokenizer.ggml.model", "gpt2"); }});
  ASSERT_TRUE(bpe);
  EXPECT_TRUE(
      is_error(bpe->vocabulary(), ErrorKind::kInvalidModel, {"tiny.gguf", "expected llama, found gpt2"}));
  const auto none = open({.without = {"tokenizer.ggml.model"}});
  ASSERT_TRUE(none);
  EXPECT_TRUE(is_error(none->vocabulary(), ErrorKind::kInvalidModel, {"lacks tokenizer.ggml.model"}));
}

TEST_F(CheckpointTest, EveryTruncationIsAnError) {
  const std::string path = folder_.write("tiny.gguf", TinyModel().gguf());
  ASSERT_TRUE(Checkpoint::open(path));
  for (std::uintmax_t size = std::filesystem::file_size(path); size-- > 0;) {
    std::filesystem::resize_file(path, size);
    ASSERT_TRUE(is_error(Checkpoint::open(path), ErrorKind::kInvalidModel, {path})) << size;
  }
}

TEST_F(CheckpointTest, AFileThatShrinksInUseIsAnError) {
  const auto checkpoint = open({});
  ASSERT_TRUE(checkpoint);
  std::filesystem::resize_file(checkpoint->path(), 100);
  EXPECT_TRUE(is_error(checkpoint->vector(TensorId::kFinalNorm), ErrorKind::kInvalidModel, {"changed"}));
}

TEST_F(CheckpointTest, AbsentPathsAndFoldersWithoutAModel) {
  for (const char* name : {"absent.gguf", "absent.safetensors", "absent"}) {
    EXPECT_TRUE(is_error(Checkpoint::open(folder_.path(name)), ErrorKind::kNotFound, {folder_.path(name)}));
  }
  EXPECT_TRUE(is_error(Checkpoint::open(""), ErrorKind::kNotFound, {}));
  EXPECT_TRUE(
      is_error(Checkpoint::open(folder_.path()), ErrorKind::kInvalidModel, {"config.json is missing"}));
  folder_.write("config.json", "{");
  EXPECT_TRUE(is_error(Checkpoint::open(folder_.path()), ErrorKind::kInvalidModel, {"config.json", "JSON"}));
}

// Checkpoints saved by Hugging Face transformers (tools/make_tiny_models.py).
class TransformersCheckpoint : public testing::TestWithParam<const char*> {
 protected:
  static std::string folder(std::string_view name) {
    return test_fixture(fmt::format("tiny_models/{}", name));
  }
};

INSTANTIATE_TEST_SUITE_P(TinyModels, TransformersCheckpoint,
                         testing::Values("chat", "narrow_heads", "odd_sizes", "scalar_of_27b", "seven_layers",
                                         "wide_heads", "wrapped"),
                         [](const auto& test) { return test.param; });

TEST_P(TransformersCheckpoint, OpensAsFolderAndAsFile) {
  for (const char* file : {"", "/model.safetensors"}) {
    const auto checkpoint = Checkpoint::open(folder(GetParam()) + file);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->config().name, GetParam());
    EXPECT_FALSE(checkpoint->has(TensorId::kHead));
    const auto stored = checkpoint->tensor(TensorId::kQNorm, 1);
    ASSERT_TRUE(stored);
    std::vector<std::byte> bytes(*tensor::row_bytes(stored->type, stored->columns));
    ASSERT_TRUE(stored->source->read_at(stored->offset, bytes));
    std::uint32_t bits = 0;  // of w[0], a bf16 in one of the models
    std::memcpy(reinterpret_cast<std::byte*>(&bits) + (stored->type == tensor::ElementType::kBF16 ? 2 : 0),
                bytes.data(), stored->type == tensor::ElementType::kBF16 ? 2 : 4);
    const auto gain = checkpoint->vector(TensorId::kQNorm, 1);
    ASSERT_TRUE(gain);
    EXPECT_EQ((*gain)[0], 1.0F + std::bit_cast<float>(bits));
  }
}

TEST_F(TransformersCheckpoint, Tokenizer) {
  const auto chat = Checkpoint::open(folder("chat"));
  ASSERT_TRUE(chat);
  const auto vocabulary = chat->vocabulary();
  ASSERT_TRUE(vocabulary);
  EXPECT_EQ(std::get<TokenizerJson>(*vocabulary).path, folder("chat") + "/tokenizer.json");
  EXPECT_TRUE(is_error(Checkpoint::open(folder("odd_sizes"))->vocabulary(), ErrorKind::kNotFound,
                       {"tokenizer.json"}));
}

TEST_F(CheckpointTest, ChatTemplatesOfAFolder) {
  const std::string source = test_fixture("tiny_models/odd_sizes/");
  for (const char* name : {"config.json", "model.safetensors"}) {
    std::filesystem::copy_file(source + name, folder_.path(name));
  }
  EXPECT_EQ(Checkpoint::open(folder_.path())->chat_template(), std::nullopt);
  folder_.write("tokenizer_config.json", R"({"chat_template":"from tokenizer_config"})");
  EXPECT_EQ(Checkpoint::open(folder_.path())->chat_template(), "from tokenizer_config");
  folder_.write("chat_template.jinja", "from jinja");
  const auto checkpoint = Checkpoint::open(folder_.path());
  EXPECT_EQ(checkpoint->chat_template(), "from jinja");
  EXPECT_TRUE(checkpoint->config().instruction_tuned);
}

TEST_F(CheckpointTest, AnAdapterIsNoModel) {
  TinyModel adapter;
  adapter.add = [](formats::GgufWriter& writer) { writer.set_string("general.type", "adapter"); };
  EXPECT_TRUE(is_error(Checkpoint::open(folder_.write("a.gguf", adapter.gguf())), ErrorKind::kInvalidModel,
                       {"a.gguf", "--lora"}));
}

}  // namespace
}  // namespace carat::model
