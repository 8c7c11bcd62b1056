#include <gtest/gtest.h>

#include <cstring>

#include "formats/test_files.h"
#include "model/checkpoint.h"
#include "model/test_tiny_model.h"
#include "model/test_tiny_vision.h"

namespace carat::model {
namespace {

using formats::is_error;

// A text model with a tower beside it or inside.
class VisionCheckpointTest : public testing::Test {
 protected:
  std::string text_file(const std::string& name = "tiny-model-Q8_0.gguf") const {
    return folder_.write(name, TinyModel{}.gguf());
  }
  std::string mmproj(const TinyVision& tower, const std::string& name = "mmproj.gguf") const {
    return folder_.write(name, tower.mmproj());
  }
  Result<Checkpoint> open_inside(TinyVision tower) const {
    tower.naming = VisionNaming::kOllama;
    TinyModel model;
    model.add = [&](formats::GgufWriter& writer) { tower.write_inside(writer); };
    return Checkpoint::open(folder_.write("inside.gguf", model.gguf()));
  }
  void expect_error(const TinyVision& tower, std::initializer_list<std::string_view> texts) const {
    const std::string file = mmproj(tower, "spoilt.gguf");
    EXPECT_TRUE(is_error(Checkpoint::open(text_file(), {.mmproj = file}), ErrorKind::kInvalidModel, texts));
  }

  formats::TestFolder folder_;
};

void expect_values(const Checkpoint& checkpoint, const TinyVision& tower) {
  ASSERT_NE(checkpoint.vision(), nullptr);
  ASSERT_EQ(checkpoint.config().vision, tower.config);
  for (const VisionTensorInfo& tensor : vision_tensor_table()) {
    for (std::size_t layer = 0; layer < (tensor.per_layer ? tower.config.layers : 1); ++layer) {
      const auto values = checkpoint.vision()->values(tensor.id, layer);
      ASSERT_TRUE(values) << values.error().message;
      EXPECT_EQ(*values, tower.values(tensor, layer)) << tensor.name << " of layer " << layer;
    }
  }
}

TEST_F(VisionCheckpointTest, ProjectorFileNamedOrBesideTheModel) {
  const TinyVision tower;
  const std::string model = text_file();
  EXPECT_EQ(Checkpoint::open(model)->vision(), nullptr);
  const formats::TestFolder elsewhere;
  const std::string file = elsewhere.write("projector.gguf", tower.mmproj());
  const auto named = Checkpoint::open(model, {.mmproj = file});
  ASSERT_TRUE(named) << named.error().message;
  expect_values(*named, tower);

  mmproj(tower);
  const auto beside = Checkpoint::open(model);
  ASSERT_TRUE(beside) << beside.error().message;
  expect_values(*beside, tower);
  EXPECT_EQ(Checkpoint::open(model, {.mmproj = std::string(kNoMmproj)})->vision(), nullptr);
}

TEST_F(VisionCheckpointTest, OfSeveralProjectorsTheOneThatFitsAndIsNamedLikeTheModel) {
  TinyVision other;
  other.config.d_model = 9;
  mmproj(other, "mmproj-tiny-model-Q8_0.gguf");
  const std::string model = text_file();
  const auto without = Checkpoint::open(model);
  ASSERT_TRUE(without) << without.error().message;
  EXPECT_EQ(without->vision(), nullptr);
  EXPECT_NE(without->vision_remark().find("projection_dim: expected 8, found 9"), std::string::npos);

  TinyVision like_the_model;
  like_the_model.config.layers = 3;
  mmproj({}, "mmproj-a.gguf");
  mmproj(like_the_model, "mmproj-Tiny-Model-F16.gguf");
  EXPECT_EQ(Checkpoint::open(model)->config().vision, like_the_model.config);
}

TEST_F(VisionCheckpointTest, OlderFilesHaveTheNamesOfTheMlpExchanged) {
  TinyVision tower;
  tower.naming = VisionNaming::kMmprojSwapped;
  mmproj(tower);
  const auto checkpoint = Checkpoint::open(text_file());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  expect_values(*checkpoint, tower);
}

TEST_F(VisionCheckpointTest, TowerInsideTheFileOfTheTextModel) {
  const TinyVision tower;
  const auto checkpoint = open_inside(tower);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  expect_values(*checkpoint, tower);
  const std::string file = folder_.path("inside.gguf");
  EXPECT_EQ(Checkpoint::open(file, {.mmproj = std::string(kNoMmproj)})->vision(), nullptr);
  EXPECT_TRUE(is_error(Checkpoint::open(file, {.mmproj = mmproj(tower)}), ErrorKind::kUsage,
                       {file, "tower inside", "mmproj.gguf"}));
  EXPECT_TRUE(is_error(open_inside({.without = {"v.blk.1.mlp.fc1.bias"}}), ErrorKind::kInvalidModel,
                       {"'v.blk.1.mlp.fc1.bias'", "missing"}));
  EXPECT_TRUE(is_error(open_inside({.without = {"gemma3.vision.block_count"}}), ErrorKind::kInvalidModel,
                       {"gemma3.vision.block_count"}));
  EXPECT_TRUE(is_error(open_inside({.shapes = {{"v.blk.2.attn_q.weight", {10, 10}}},
                                    .add =
                                        [](formats::GgufWriter& writer) {
                                          const std::vector<float> one(1, 0.0F);
                                          writer.add_tensor("v.extra", tensor::ElementType::kF32,
                                                            std::vector<std::uint64_t>{1},
                                                            std::as_bytes(std::span(one)));
                                        }}),
                       ErrorKind::kInvalidModel, {"'v.extra'", "no part of"}));
}

TEST_F(VisionCheckpointTest, SpoiltProjectorsAreRefusedByName) {
  expect_error({.without = {"v.blk.1.attn_out.bias"}}, {"spoilt.gguf", "'v.blk.1.attn_out.bias'", "missing"});
  expect_error({.shapes = {{"v.patch_embd.weight", {10, 3, 3, 4}}}},
               {"'v.patch_embd.weight'", "expected shape [10, 3, 3, 3], found [10, 3, 3, 4]"});
  expect_error({.shapes = {{"mm.input_projection.weight", {8, 10}}}},
               {"expected shape [10, 8], found [8, 10]"});
  expect_error({.without = {"clip.vision.image_size"}}, {"spoilt.gguf", "clip.vision.image_size"});
  expect_error({.projector = "mlp"}, {"clip.projector_type: expected gemma3, found mlp"});
  TinyVision tower;
  tower.config.patch_size = 5;
  expect_error(tower, {"image size 12 is no multiple of the patch size 5"});
  tower.config.patch_size = 0;
  EXPECT_TRUE(is_error(validate(tower.config, "file"), ErrorKind::kInvalidModel, {"patch size", "found 0"}));
  tower = {};
  tower.config.heads = 3;
  expect_error(tower, {"width of the image tower 10 is no multiple of the number of heads 3"});
  const std::string model = text_file();
  EXPECT_TRUE(is_error(Checkpoint::open(model, {.mmproj = model}), ErrorKind::kInvalidModel,
                       {"general.architecture: expected clip, found gemma3"}));
  EXPECT_TRUE(is_error(Checkpoint::open(model, {.mmproj = folder_.path("absent.gguf")}), ErrorKind::kNotFound,
                       {"absent.gguf"}));
}

TEST_F(VisionCheckpointTest, ProjectorsThatAreCutAnywhereAreErrors) {
  const std::vector<std::byte> whole = TinyVision{}.mmproj();
  const std::string model = text_file();
  for (std::size_t size = 0; size < whole.size(); size += size < 4096 ? 61 : 997) {
    const std::string cut = folder_.write("cut.gguf", std::span(whole).first(size));
    EXPECT_TRUE(is_error(Checkpoint::open(model, {.mmproj = cut}), ErrorKind::kInvalidModel, {cut})) << size;
  }
}

TEST_F(VisionCheckpointTest, ValuesThatAreNotFiniteAreNamed) {
  TinyVision tower;
  std::vector<std::byte> bytes = tower.mmproj();
  // The last value of the file belongs to the projection, the last tensor written.
  const float infinite = INFINITY;
  const std::size_t stored = tower.config.width * tower.config.d_model * sizeof(float);
  std::memcpy(bytes.data() + bytes.size() - stored % 32 - stored + stored % 32, &infinite, sizeof infinite);
  const std::string file = folder_.write("mmproj.gguf", bytes);
  const auto checkpoint = Checkpoint::open(text_file());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_TRUE(is_error(checkpoint->vision()->values(VisionTensorId::kProjection), ErrorKind::kInvalidModel,
                       {file, "'mm.input_projection.weight'", "not a finite number"}));
}

}  // namespace
}  // namespace carat::model
