#include "formats/quantization_block.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "formats/safetensors.h"
#include "formats/safetensors_writer.h"
#include "formats/test_files.h"

namespace carat::formats {
namespace {

using tensor::ElementType;

// A file of one F32 vector, one tensor of each row-scaled type and their scales.
struct QuantizedFile {
  std::vector<float> int4_scales = {0.5F, 2.0F, 0.25F};
  std::vector<float> sfp8_scale = {3.0F};
  std::pair<std::string, std::string> replace = {};  // a text of the header and what stands there instead

  std::vector<std::byte> bytes() const {
    SafetensorsWriter writer;
    writer.declare("norm", ElementType::kF32, std::array<std::uint64_t, 1>{4});
    writer.declare("q", ElementType::kInt4, std::array<std::uint64_t, 2>{3, 32}, 3);
    writer.declare("s", ElementType::kSFP8, std::array<std::uint64_t, 2>{2, 5}, 1);
    std::vector<std::byte> header = writer.header();
    std::string text(reinterpret_cast<const char*>(header.data()) + 8, header.size() - 8);
    if (!replace.first.empty()) {
      const std::size_t at = text.find(replace.first);
      EXPECT_NE(at, text.npos) << text;
      text.replace(at, replace.first.size(), replace.second);
    }
    const std::uint64_t length = text.size();
    std::string file(reinterpret_cast<const char*>(&length), sizeof length);
    file += text;
    const auto append = [&](const void* data, std::size_t size) {
      file.append(static_cast<const char*>(data), size);
    };
    file.append(16, '\0');
    file.append(48, '\x21');
    append(int4_scales.data(), 12);
    file.append(10, '\x40');
    append(sfp8_scale.data(), 4);
    return bytes_of(file);
  }
  Result<TensorDirectory> read() const { return read_safetensors(in_memory(bytes())); }
};

TEST(QuantizationBlock, GivesTensorsTheirTypesAndScales) {
  const auto tensors = QuantizedFile().read();
  ASSERT_TRUE(tensors) << tensors.error().message;
  EXPECT_EQ(tensors->entries().size(), 3U);
  const TensorEntry* q = tensors->find("q");
  const TensorEntry* s = tensors->find("s");
  ASSERT_TRUE(q != nullptr && s != nullptr);
  EXPECT_EQ(q->type, ElementType::kInt4);
  EXPECT_EQ(q->shape, (std::vector<std::uint64_t>{3, 32}));
  EXPECT_EQ(q->bytes, 48U);
  EXPECT_EQ(q->row_scales, (std::vector<float>{0.5F, 2.0F, 0.25F}));
  EXPECT_EQ(s->type, ElementType::kSFP8);
  EXPECT_EQ(s->shape, (std::vector<std::uint64_t>{2, 5}));
  EXPECT_EQ(s->row_scales, (std::vector<float>{3.0F, 3.0F}));
}

TEST(QuantizationBlock, RefusesScalesThatAreNoPositiveNumbers) {
  for (const float bad : {0.0F, -1.0F, HUGE_VALF, NAN}) {
    QuantizedFile file;
    file.int4_scales[1] = bad;
    EXPECT_TRUE(is_error(file.read(), ErrorKind::kInvalidModel, {"tensors.q.scale", "row 1"}));
  }
}

TEST(QuantizationBlock, RefusesWhatDoesNotAgree) {
  struct Case {
    std::string from, to;
    std::string_view said;
  };
  // Texts inside the block are JSON within JSON.
  for (const Case& c : std::initializer_list<Case>{
           {R"(\"method\":\"carat\")", R"(\"method\":\"other\")", "other"},
           {R"(\"version\":1)", R"(\"version\":2)", "version 2"},
           {R"(\"type\":\"sfp8\")", R"(\"type\":\"fp8\")", "fp8"},
           {R"(\"type\":\"sfp8\")", R"(\"type\":\"int4_per_channel\")", "multiples of 32"},
           {R"(\"scale\":\"s_scale\")", R"(\"scale\":\"missing\")", "missing"},
           {R"(\"scale\":\"s_scale\")", R"(\"scale\":\"norm\")", "[2] or [1]"},
           {R"(\"scale\":\"q_scale\")", R"(\"scale\":\"s\")", "expected F32"},
           {R"(\"s\":{)", R"(\"norm\":{)", "dtype U8"},
           {R"(\"s\":{)", R"(\"absent\":{)", "no such tensor"},
           {R"("quantization":)", R"("other":)", "does not describe"},
           {R"("quantization":")", R"("quantization":"x)", "__metadata__.quantization"},
           {R"("__metadata__":{)", R"("__metadata__":{"x":1,"quantization":7,"y":{)", ""},
       }) {
    QuantizedFile file;
    file.replace = {c.from, c.to};
    EXPECT_TRUE(is_error(file.read(), ErrorKind::kInvalidModel, {"test file", c.said})) << c.to;
  }
}

}  // namespace
}  // namespace carat::formats
