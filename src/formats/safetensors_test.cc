#include "formats/safetensors.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>

#include "base/test_fixture.h"
#include "formats/test_files.h"

namespace carat::formats {
namespace {

std::vector<std::byte> with_header(std::string_view header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), sizeof length);
  file += header;
  file.append(data_bytes, '\0');
  return bytes_of(file);
}

// Two tensors, 8 and 6 bytes.
constexpr std::string_view kHeader = R"({"__metadata__":{"format":"pt"},)"
                                     R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                                     R"("b":{"dtype":"BF16","shape":[1,3],"data_offsets":[8,14]}})";

// Written by the safetensors Python package (tools/make_formats_fixtures.py).
TEST(Safetensors, ReadsWhatTheReferenceWrites) {
  const auto tensors = open_safetensors(test_fixture("reference.safetensors"));
  ASSERT_TRUE(tensors) << tensors.error().message;
  ASSERT_EQ(tensors->entries().size(), 3U);
  const TensorEntry* vector = tensors->find("b.vector");
  ASSERT_NE(vector, nullptr);
  EXPECT_EQ(vector->shape, (std::vector<std::uint64_t>{5}));
  std::vector<float> values(5);
  ASSERT_TRUE(vector->source->read_at(vector->offset, std::as_writable_bytes(std::span(values))));
  EXPECT_EQ(values, (std::vector<float>{0, 1, 2, 3, 4}));
  const TensorEntry* matrix = tensors->find("a.matrix");
  ASSERT_NE(matrix, nullptr);
  EXPECT_EQ(matrix->shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(matrix->type, tensor::ElementType::kF16);
  const TensorEntry* scalar = tensors->find("scalar");
  ASSERT_NE(scalar, nullptr);
  EXPECT_TRUE(scalar->shape.empty());
  EXPECT_EQ(scalar->bytes, 4U);
}

TEST(Safetensors, MetadataIsIgnored) {
  const auto tensors = read_safetensors(in_memory(with_header(kHeader, 14)));
  ASSERT_TRUE(tensors) << tensors.error().message;
  EXPECT_EQ(tensors->entries().size(), 2U);
  EXPECT_EQ(tensors->find("__metadata__"), nullptr);
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const auto whole = with_header(kHeader, 14);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto result =
        read_safetensors(in_memory({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}));
    EXPECT_TRUE(is_error(result, ErrorKind::kInvalidModel, {"test file"})) << size;
  }
}

TEST(Safetensors, NoFlippedBitLetsATensorLeaveTheFile) {
  const auto whole = with_header(kHeader, 14);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    auto damaged = whole;
    damaged[bit / 8] ^= std::byte{1} << (bit % 8);
    const auto result = read_safetensors(in_memory(std::move(damaged)));
    if (!result) continue;
    for (const TensorEntry& entry : result->entries()) {
      ASSERT_LE(entry.offset, whole.size()) << bit;
      ASSERT_LE(entry.bytes, whole.size() - entry.offset) << bit;
    }
  }
}

struct BadHeader {
  const char* name;
  std::string header;
  std::size_t data_bytes;
  const char* message;

  friend void PrintTo(const BadHeader& test, std::ostream* out) { *out << test.name; }
};

class SafetensorsRefuse : public testing::TestWithParam<BadHeader> {};

TEST_P(SafetensorsRefuse, WithAMessageThatSaysWhy) {
  const BadHeader& bad = GetParam();
  EXPECT_TRUE(is_error(read_safetensors(in_memory(with_header(bad.header, bad.data_bytes))),
                       ErrorKind::kInvalidModel, {"test file", bad.message}));
}

std::string tensor(std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return fmt::format(R"({{"t":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype, shape, offsets);
}

std::vector<BadHeader> bad_headers() {
  return {
      {"NoJson", "{\"t\":", 0, "no valid JSON"},
      {"NoObject", "[1,2]", 0, "expected a JSON object"},
      {"TooDeep", std::string(100, '[') + std::string(100, ']'), 0, "no valid JSON"},
      {"NotDescribed", R"({"t":5})", 0, "t: expected an object, found int64"},
      {"NoDtype", R"({"t":{"shape":[1],"data_offsets":[0,4]}})", 4, "t.dtype: missing"},
      {"Dtype", tensor("I64", "[1]", "[0,8]"), 8, "t.dtype: expected F32, F16, BF16 or U8, found I64"},
      {"NegativeExtent", tensor("F32", "[-1]", "[0,4]"), 4, "t.shape: element 0"},
      {"FractionalExtent", tensor("F32", "[1.5]", "[0,4]"), 4, "t.shape: element 0"},
      {"EmptyTensor", tensor("F32", "[0]", "[0,0]"), 0, "t.shape: the tensor is empty"},
      {"ManyDimensions", tensor("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "at most 8 numbers, found 9"},
      {"ShapeOverflow", tensor("F32", "[4294967296,4294967296]", "[0,0]"), 0, "too large"},
      {"OneOffset", tensor("F32", "[1]", "[4]"), 4, "expected an extent of 4 bytes, found [4]"},
      {"ThreeOffsets", tensor("F32", "[1]", "[0,4,4]"), 4, "at most 2 numbers"},
      {"Backwards", tensor("F32", "[1]", "[4,0]"), 4, "found [4, 0]"},
      {"WrongExtent", tensor("F32", "[2]", "[0,4]"), 4, "expected an extent of 8 bytes, found [0, 4]"},
      {"PastTheEnd", tensor("F32", "[2]", "[0,8]"), 4, "'t' ends at data offset 8, but the data end at 4"},
      {"HugeOffset", tensor("F32", "[1]", "[18446744073709551608,18446744073709551612]"), 4,
       "expected data offset 0"},
      {"DataLeftOver", tensor("F32", "[1]", "[0,4]"), 5, "expected 4 bytes of data, found 5"},
      {"Gap", tensor("F32", "[1]", "[1,5]"), 5, "'t': expected data offset 0, found 1"},
      {"Overlap",
       R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8, "'b': expected data offset 8, found 4"},
  };
}

INSTANTIATE_TEST_SUITE_P(Header, SafetensorsRefuse, testing::ValuesIn(bad_headers()),
                         [](const auto& test) { return test.param.name; });

TEST(Safetensors, AHugeHeaderLengthIsRefusedBeforeItIsAllocated) {
  auto file = with_header("{}", 0);
  file[7] = std::byte{0x7f};
  EXPECT_TRUE(is_error(read_safetensors(in_memory(file)), ErrorKind::kInvalidModel, {"at most 8388608"}));
}

// A model in two files with an index.
class SafetensorsIndex : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("one.safetensors", with_header(tensor("F32", "[1]", "[0,4]"), 4));
    folder_.write("two.safetensors", with_header(kHeader, 14));
    write_index(R"({"t":"one.safetensors","a":"two.safetensors","b":"two.safetensors"})");
  }
  void write_index(std::string_view weight_map) {
    folder_.write("model.safetensors.index.json",
                  fmt::format(R"({{"metadata":{{"total_size":18}},"weight_map":{}}})", weight_map));
  }
  Result<TensorDirectory> open() { return open_safetensors(folder_.path()); }

  TestFolder folder_;
};

TEST_F(SafetensorsIndex, OpensAllFiles) {
  for (const std::string& path : {folder_.path(), folder_.path("model.safetensors.index.json")}) {
    const auto tensors = open_safetensors(path);
    ASSERT_TRUE(tensors) << tensors.error().message;
    EXPECT_EQ(tensors->entries().size(), 3U);
    EXPECT_EQ(tensors->find("t")->source->name(), folder_.path("one.safetensors"));
    EXPECT_EQ(tensors->find("b")->source->name(), folder_.path("two.safetensors"));
  }
}

TEST_F(SafetensorsIndex, WrongEntriesAreErrors) {
  constexpr auto kInvalid = ErrorKind::kInvalidModel;
  write_index(R"({"t":"two.safetensors"})");
  EXPECT_TRUE(is_error(open(), kInvalid, {"weight_map.t", "not in two.safetensors"}));
  write_index(R"({"t":5})");
  EXPECT_TRUE(is_error(open(), kInvalid, {"weight_map.t", "expected a string"}));
  write_index(R"({"t":"absent.safetensors"})");
  EXPECT_TRUE(is_error(open(), ErrorKind::kNotFound, {"absent.safetensors"}));
  for (const char* outside : {"../one.safetensors", "/etc/passwd", "..", "", "a\\u0000b"}) {
    write_index(fmt::format(R"({{"t":"{}"}})", outside));
    EXPECT_TRUE(is_error(open(), kInvalid, {"weight_map.t", "beside the index"})) << outside;
  }
  folder_.write("model.safetensors.index.json", "{}");
  EXPECT_TRUE(is_error(open(), kInvalid, {"weight_map: missing"}));
}

TEST_F(SafetensorsIndex, ATensorInTwoFilesIsAnError) {
  folder_.write("one.safetensors", with_header(kHeader, 14));
  write_index(R"({"a":"one.safetensors","b":"two.safetensors"})");
  EXPECT_TRUE(is_error(open(), ErrorKind::kInvalidModel, {"'a' occurs twice"}));
}

TEST(Safetensors, AFolderWithoutThemIsNotFound) {
  const TestFolder folder;
  EXPECT_TRUE(is_error(open_safetensors(folder.path()), ErrorKind::kNotFound, {"model.safetensors"}));
}

}  // namespace
}  // namespace carat::formats
