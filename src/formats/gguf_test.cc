#include "formats/gguf.h"

#include <gtest/gtest.h>

#include <array>
#include <ostream>

#include "base/test_fixture.h"
#include "formats/gguf_writer.h"
#include "formats/test_files.h"
#include "tensor/dequantize.h"

namespace carat::formats {
namespace {

using testing::TestWithParam;

// Writes the raw parts of a GGUF file, so that a test can get any of them wrong.
class RawFile {
 public:
  RawFile(std::uint32_t version, std::uint64_t tensors, std::uint64_t keys) {
    text("GGUF").number(version).number(tensors).number(keys);
  }
  RawFile& text(std::string_view characters) {
    const auto bytes = bytes_of(characters);
    std::ranges::copy(bytes, std::back_inserter(bytes_));
    return *this;
  }
  template <class T>
  RawFile& number(T value) {
    std::ranges::copy(std::as_bytes(std::span(&value, 1)), std::back_inserter(bytes_));
    return *this;
  }
  RawFile& string(std::string_view characters) {
    return number<std::uint64_t>(characters.size()).text(characters);
  }
  RawFile& key(std::string_view name, std::uint32_t type) { return string(name).number(type); }
  RawFile& tensor(std::string_view name, const std::vector<std::uint64_t>& dims, std::uint32_t type,
                  std::uint64_t offset) {
    string(name).number(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) number(dim);
    return number(type).number(offset);
  }
  RawFile& data(std::size_t bytes) {
    bytes_.resize((bytes_.size() + 31) / 32 * 32 + bytes);
    return *this;
  }
  Result<GgufFile> read() const { return read_gguf(in_memory(bytes_)); }

 private:
  std::vector<std::byte> bytes_;
};

constexpr std::uint32_t kU32 = 4, kArray = 9, kF32 = 0;

std::vector<std::byte> small_file() {
  GgufWriter writer;
  writer.set_string("general.architecture", "gemma3");
  writer.set_u32("number", 7);
  writer.set_f32_array("floats", std::array{1.0F, 2.0F});
  writer.set_string_array("strings", {"one", "", "three"});
  const std::array<std::byte, 34> block = {};
  writer.add_tensor("first", tensor::ElementType::kQ8_0, std::array<std::uint64_t, 2>{1, 32}, block);
  const std::array<float, 6> values = {1, 2, 3, 4, 5, 6};
  writer.add_tensor("second", tensor::ElementType::kF32, std::array<std::uint64_t, 2>{2, 3},
                    std::as_bytes(std::span(values)));
  return writer.finish();
}

// Written by the gguf Python package (tools/make_formats_fixtures.py).
TEST(Gguf, ReadsWhatTheReferenceWrites) {
  const auto file = open_gguf(test_fixture("reference.gguf"));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->get_string("general.architecture"), "gemma3");
  EXPECT_EQ(file->get_u32("k.u8"), 200U);
  EXPECT_EQ(file->get_u32("k.u16"), 60'000U);
  EXPECT_EQ(file->get_u32("k.i16"), 30'000U);
  EXPECT_EQ(file->get_u32("k.u32"), 4'000'000'000U);
  EXPECT_EQ(file->get_u32("k.i32"), 2'000'000'000U);
  EXPECT_EQ(file->get_u32("k.i64"), 7U);
  EXPECT_EQ(file->get_f32("k.f32"), 0.1F);
  EXPECT_EQ(file->get_f32("k.f64"), 0.25F);
  EXPECT_EQ(file->find_bool("k.bool"), true);
  EXPECT_EQ(file->get_string("k.string"), "Gr\u00fc\u00dfe \u4f60\u597d");
  EXPECT_EQ(file->get_f32_array("k.floats"), (std::vector<float>{1.5F, -2.25F, 1e30F}));
  EXPECT_EQ(file->get_i32_array("k.ints"), (std::vector<std::int32_t>{1, -2, 3}));
  EXPECT_EQ(file->get_bool_array("k.bools"), (std::vector<bool>{true, false, true}));
  const auto strings = file->get_string_array("k.strings");
  ASSERT_TRUE(strings);
  ASSERT_EQ((*strings)->size(), 4U);
  EXPECT_EQ((*strings)->views()[0], "");
  EXPECT_EQ((**strings)[2], "\u2581the");
  EXPECT_EQ((**strings)[3].size(), 500U);

  const TensorEntry* cube = file->tensors().find("cube");
  ASSERT_NE(cube, nullptr);
  EXPECT_EQ(cube->shape, (std::vector<std::uint64_t>{2, 3, 4}));
  EXPECT_EQ(cube->type, tensor::ElementType::kF16);
  EXPECT_EQ(cube->offset % 64, 0U);
  const TensorEntry* quantized = file->tensors().find("quantized");
  ASSERT_NE(quantized, nullptr);
  EXPECT_EQ(quantized->shape, (std::vector<std::uint64_t>{3, 32}));
  std::vector<std::byte> stored(quantized->bytes);
  ASSERT_TRUE(quantized->source->read_at(quantized->offset, stored));
  std::vector<float> values(96);
  tensor::dequantize(quantized->type, stored, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i], -1.0 + 2.0 * static_cast<double>(i) / 95.0, 1.0 / 127.0);
  }
}

TEST(Gguf, GettersRefuseOtherTypesAndValuesOutOfRange) {
  const auto file = open_gguf(test_fixture("reference.gguf"));
  ASSERT_TRUE(file);
  constexpr auto kInvalid = ErrorKind::kInvalidModel;
  EXPECT_TRUE(is_error(file->get_u32("k.i8"), kInvalid, {"reference.gguf", "k.i8", "-100"}));
  EXPECT_TRUE(is_error(file->get_u32("k.u64"), kInvalid, {"k.u64", "1099511627776"}));
  EXPECT_TRUE(is_error(file->get_u32("k.string"), kInvalid, {"expected an integer, found string"}));
  EXPECT_TRUE(is_error(file->get_f32("k.u32"), kInvalid, {"expected a float, found u32"}));
  EXPECT_TRUE(is_error(file->find_bool("k.u8"), kInvalid, {"expected a bool, found u8"}));
  EXPECT_TRUE(is_error(file->get_string("k.strings"), kInvalid, {"found array of 4 string"}));
  EXPECT_TRUE(is_error(file->get_f32_array("k.ints"), kInvalid, {"found array of 3 i32"}));
  EXPECT_TRUE(is_error(file->get_i32_array("k.floats"), kInvalid, {"found array of 3 f32"}));
  EXPECT_TRUE(is_error(file->get_bool_array("k.floats"), kInvalid, {"found array of 3 f32"}));
  EXPECT_TRUE(is_error(file->get_string_array("k.floats"), kInvalid, {"found array of 3 f32"}));
  EXPECT_TRUE(is_error(file->get_string_array("k.string"), kInvalid, {"found string"}));
  EXPECT_TRUE(is_error(file->get_u32("absent"), kInvalid, {"lacks absent"}));
  EXPECT_TRUE(is_error(file->get_f32_array("absent"), kInvalid, {"lacks absent"}));
  EXPECT_EQ(file->find_u32("absent"), std::nullopt);
}

TEST(Gguf, ReadsVersion2AndItsEmptyArrays) {
  const auto file = RawFile(2, 0, 1).key("empty", kArray).number(kU32).number<std::uint64_t>(0).read();
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(file->is_array("empty"));
  EXPECT_TRUE(file->get_i32_array("empty")->empty());
}

TEST(Gguf, EveryTruncationIsAnError) {
  const auto whole = small_file();
  ASSERT_TRUE(read_gguf(in_memory(whole)));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto result =
        read_gguf(in_memory({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}));
    EXPECT_TRUE(is_error(result, ErrorKind::kInvalidModel, {"test file"})) << size;
  }
}

TEST(Gguf, NoFlippedBitLetsATensorLeaveTheFile) {
  const auto whole = small_file();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    auto damaged = whole;
    damaged[bit / 8] ^= std::byte{1} << (bit % 8);
    const auto result = read_gguf(in_memory(std::move(damaged)));
    if (!result) continue;
    for (const TensorEntry& entry : result->tensors().entries()) {
      ASSERT_LE(entry.offset, whole.size()) << bit;
      ASSERT_LE(entry.bytes, whole.size() - entry.offset) << bit;
      ASSERT_EQ(tensor_bytes(entry.type, entry.shape), entry.bytes) << bit;
    }
  }
}

struct BadFile {
  const char* name;
  RawFile file;
  const char* message;

  friend void PrintTo(const BadFile& test, std::ostream* out) { *out << test.name; }
};

class GgufRefuses : public TestWithParam<BadFile> {};

TEST_P(GgufRefuses, WithAMessageThatSaysWhy) {
  EXPECT_TRUE(is_error(GetParam().file.read(), ErrorKind::kInvalidModel, {"test file", GetParam().message}));
}

constexpr std::uint64_t kHuge = std::uint64_t{1} << 63;

std::vector<BadFile> bad_files() {
  return {
      {"Version1", RawFile(1, 0, 0), "expected 2 or 3, found 1"},
      {"BigEndian", RawFile(0x03000000, 0, 0), "big-endian"},
      {"TensorCount", RawFile(3, kHuge, 0), "number of tensors"},
      {"KeyCount", RawFile(3, 0, kHuge), "number of metadata keys"},
      {"KeyLength", RawFile(3, 0, 1).number(kHuge), "a metadata key"},
      {"EmptyKey", RawFile(3, 0, 1).key("", kU32).number(1U), "key is empty"},
      {"RepeatedKey", RawFile(3, 0, 2).key("k", kU32).number(1U).key("k", kU32).number(2U),
       "'k' occurs twice"},
      {"ValueType", RawFile(3, 0, 1).key("k", 13), "unknown metadata type 13"},
      {"StringLength", RawFile(3, 0, 1).key("k", 8).number(kHuge), "k at byte"},
      {"StringPastTheEnd", RawFile(3, 0, 1).key("k", 8).number<std::uint64_t>(5).text("abcd"),
       "k needs 5 bytes"},
      {"Bool", RawFile(3, 0, 1).key("k", 7).number<std::uint8_t>(2), "expected a bool, 0 or 1, found 2"},
      {"ArrayOfArrays", RawFile(3, 0, 1).key("k", kArray).number(kArray).number<std::uint64_t>(1),
       "arrays of arrays"},
      {"ArrayCount", RawFile(3, 0, 1).key("k", kArray).number(kU32).number(kHuge), "array elements"},
      {"ArrayPastTheEnd",
       RawFile(3, 0, 1).key("k", kArray).number(kU32).number<std::uint64_t>(2'000'000).number(0U),
       "2000000 array elements need 8000000 bytes"},
      {"Alignment", RawFile(3, 0, 1).key("general.alignment", kU32).number(48U), "a power of two"},
      {"AlignmentZero", RawFile(3, 0, 1).key("general.alignment", kU32).number(0U), "a power of two"},
      {"TensorName", RawFile(3, 1, 0).tensor(std::string(64, 'n'), {1}, kF32, 0).data(32), "at most 63"},
      {"NoDimensions", RawFile(3, 1, 0).tensor("t", {}, kF32, 0).data(32), "1 to 4 dimensions, found 0"},
      {"FiveDimensions", RawFile(3, 1, 0).tensor("t", {1, 1, 1, 1, 1}, kF32, 0).data(32), "found 5"},
      {"EmptyTensor", RawFile(3, 1, 0).tensor("t", {4, 0}, kF32, 0).data(32), "empty: shape [0, 4]"},
      {"ElementType", RawFile(3, 1, 0).tensor("t", {32}, 9, 0).data(64), "'t' has element type 9"},
      {"PartOfABlock", RawFile(3, 1, 0).tensor("t", {48}, 8, 0).data(64), "blocks of 32 values"},
      {"ShapeOverflow",
       RawFile(3, 1, 0).tensor("t", {std::uint64_t{1} << 32, std::uint64_t{1} << 32}, kF32, 0).data(32),
       "shape [4294967296, 4294967296]"},
      {"ExtentOverflow", RawFile(3, 1, 0).tensor("t", {8}, kF32, ~std::uint64_t{31}).data(32),
       "needs 32 bytes"},
      {"PastTheEnd", RawFile(3, 1, 0).tensor("t", {9}, kF32, 0).data(32), "needs 36 bytes at data offset 0"},
      {"Misaligned", RawFile(3, 1, 0).tensor("t", {4}, kF32, 16).data(32), "no multiple of the alignment 32"},
      {"Overlap", RawFile(3, 2, 0).tensor("t", {9}, kF32, 0).tensor("u", {4}, kF32, 32).data(64),
       "'t' (36 bytes at 96) and 'u' (16 bytes at 128) overlap"},
      {"RepeatedTensor", RawFile(3, 2, 0).tensor("t", {4}, kF32, 0).tensor("t", {4}, kF32, 32).data(64),
       "'t' occurs twice"},
  };
}

INSTANTIATE_TEST_SUITE_P(Header, GgufRefuses, testing::ValuesIn(bad_files()),
                         [](const auto& test) { return test.param.name; });

TEST(Gguf, OtherFilesAreNoGguf) {
  EXPECT_TRUE(is_error(read_gguf(in_memory(bytes_of("PK\x03\x04 something else"))), ErrorKind::kInvalidModel,
                       {"no GGUF file"}));
  EXPECT_TRUE(is_error(read_gguf(in_memory({})), ErrorKind::kInvalidModel, {"magic"}));
}

TEST(Gguf, AbsentFilesAndFolders) {
  const TestFolder folder;
  EXPECT_TRUE(is_error(open_gguf(folder.path("absent.gguf")), ErrorKind::kNotFound, {"absent.gguf"}));
  EXPECT_TRUE(is_error(open_gguf(folder.path()), ErrorKind::kFailed, {folder.path()}));
}

TEST(Gguf, AFileThatShrinksInUseIsAnErrorOfTheRead) {
  const TestFolder folder;
  const std::string path = folder.write("model.gguf", small_file());
  const auto file = open_gguf(path);
  ASSERT_TRUE(file);
  const TensorEntry* entry = file->tensors().find("second");
  ASSERT_NE(entry, nullptr);
  std::vector<std::byte> bytes(entry->bytes);
  ASSERT_TRUE(entry->source->read_at(entry->offset, bytes));
  std::filesystem::resize_file(path, entry->offset + 4);
  EXPECT_TRUE(is_error(entry->source->read_at(entry->offset, bytes), ErrorKind::kInvalidModel,
                       {path, "changed while it was being read"}));
}

TEST(Gguf, LongHeadersAreReadThroughTheBuffer) {
  // Strings of every length up to 2,000 make 2 MB, so that some cross the reader's 1 MiB buffer.
  std::vector<std::string> strings;
  for (std::size_t i = 0; i < 2000; ++i) strings.emplace_back(i, static_cast<char>('a' + i % 26));
  GgufWriter writer;
  writer.set_string_array("strings", strings);
  writer.set_u32("after", 5);
  const auto file = read_gguf(in_memory(writer.finish()));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->get_u32("after"), 5U);
  const StringArray* read = *file->get_string_array("strings");
  ASSERT_EQ(read->size(), strings.size());
  for (std::size_t i = 0; i < strings.size(); ++i) ASSERT_EQ((*read)[i], strings[i]);
}

}  // namespace
}  // namespace carat::formats
