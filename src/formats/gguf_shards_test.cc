#include <gtest/gtest.h>

#include <array>

#include "formats/gguf.h"
#include "formats/gguf_writer.h"
#include "formats/test_files.h"

namespace carat::formats {
namespace {

struct Shard {
  std::uint32_t number = 0;
  std::uint32_t count = 3;
  std::uint32_t tensors = 3;
  std::string tensor_name = "t";
};

std::vector<std::byte> shard_bytes(const Shard& shard) {
  GgufWriter writer;
  writer.set_string("general.name", fmt::format("shard {}", shard.number));
  writer.set_u32("split.no", shard.number);
  writer.set_u32("split.count", shard.count);
  writer.set_u32("split.tensors.count", shard.tensors);
  const std::array<float, 2> values = {static_cast<float>(shard.number), 1.0F};
  writer.add_tensor(shard.tensor_name, tensor::ElementType::kF32, std::array<std::uint64_t, 1>{2},
                    std::as_bytes(std::span(values)));
  return writer.finish();
}

std::string shard_name(std::uint32_t number) { return fmt::format("m-{:05}-of-00003.gguf", number + 1); }

// Three shards with one tensor each, t0 to t2.
class GgufShards : public testing::Test {
 protected:
  void SetUp() override {
    for (std::uint32_t i = 0; i < 3; ++i) write({.number = i, .tensor_name = fmt::format("t{}", i)});
  }
  void write(const Shard& shard) { folder_.write(shard_name(shard.number), shard_bytes(shard)); }
  Result<GgufFile> open(std::uint32_t number) { return open_gguf(folder_.path(shard_name(number))); }

  TestFolder folder_;
};

TEST_F(GgufShards, AnyOfThemOpensTheWholeModel) {
  for (std::uint32_t given = 0; given < 3; ++given) {
    const auto file = open(given);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->get_string("general.name"), "shard 0");
    ASSERT_EQ(file->tensors().entries().size(), 3U);
    EXPECT_EQ(file->tensors().file_bytes(), 3 * shard_bytes({.tensor_name = "t0"}).size());
    for (std::uint32_t i = 0; i < 3; ++i) {
      const TensorEntry* entry = file->tensors().find(fmt::format("t{}", i));
      ASSERT_NE(entry, nullptr);
      float value = -1;
      ASSERT_TRUE(entry->source->read_at(entry->offset, std::as_writable_bytes(std::span(&value, 1))));
      EXPECT_EQ(value, static_cast<float>(i));
    }
  }
}

TEST_F(GgufShards, AMissingOneIsNotFound) {
  std::filesystem::remove(folder_.path(shard_name(1)));
  EXPECT_TRUE(is_error(open(0), ErrorKind::kNotFound, {"m-00002-of-00003.gguf"}));
}

TEST_F(GgufShards, DisagreementsAreErrors) {
  constexpr auto kInvalid = ErrorKind::kInvalidModel;
  folder_.write(shard_name(2), shard_bytes({.number = 1, .tensor_name = "t2"}));
  EXPECT_TRUE(is_error(open(0), kInvalid, {"00003-of", "split.no: expected 2, found 1"}));
  write({.number = 2, .count = 4, .tensor_name = "t2"});
  EXPECT_TRUE(is_error(open(0), kInvalid, {"00003-of", "split.count: expected 3, found 4"}));
  write({.number = 2, .tensor_name = "t1"});
  EXPECT_TRUE(is_error(open(0), kInvalid, {"00003-of", "'t1' occurs twice"}));
  write({.number = 2, .tensor_name = "t2"});
  write({.number = 0, .tensors = 4, .tensor_name = "t0"});
  EXPECT_TRUE(is_error(open(0), kInvalid, {"split.tensors.count: expected 3, found 4"}));
}

TEST_F(GgufShards, ARenamedOneCannotFindTheOthers) {
  const std::string path = folder_.write("renamed.gguf", shard_bytes({}));
  EXPECT_TRUE(is_error(open_gguf(path), ErrorKind::kInvalidModel, {"renamed.gguf", "one of 3 shards"}));
}

TEST_F(GgufShards, TooManyAreRefused) {
  write({.count = 60'000});
  EXPECT_TRUE(is_error(open(0), ErrorKind::kInvalidModel, {"split.count", "60000"}));
}

}  // namespace
}  // namespace carat::formats
