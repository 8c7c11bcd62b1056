#include "quantize/quantize_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

#include "formats/test_files.h"
#include "model/test_tiny_model.h"
#include "tensor/dequantize.h"

namespace carat::quantize {
namespace {

using formats::is_error;
using model::Checkpoint;
using model::TensorId;
using tensor::ElementType;

// Widths of whole blocks of 32, so that every type has its own rows.
model::TinyModel tiny_model() {
  model::TinyModel tiny;
  tiny.config.d_model = 64;
  tiny.config.head_dim = 32;
  tiny.config.ffn = 256;
  tiny.config.vocab = 37;
  tiny.pieces = 37;
  tiny.mean = 0.0F;
  tiny.swing = 0.7F;
  return tiny;
}

class QuantizeModelTest : public testing::Test {
 protected:
  void SetUp() override { source_path_ = folder_.write("source.gguf", tiny_model().gguf()); }

  Result<QuantizeReport> quantize(Precision precision, const std::string& output,
                                  const std::string& from = "source.gguf", const std::stop_token& stop = {}) {
    CARAT_TRY(const Checkpoint source, Checkpoint::open(folder_.path(from)));
    QuantizeOptions options;
    options.precision = precision;
    options.output = folder_.path(output);
    options.measure_error = true;
    parallel::ThreadPool pool(2);
    return quantize_model(source, options, pool, {}, stop);
  }

  Checkpoint open(const std::string& name) {
    auto opened = Checkpoint::open(folder_.path(name));
    EXPECT_TRUE(opened) << opened.error().message;
    return *std::move(opened);
  }

  // Nothing but what is named.
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_.path()),
                                                  std::filesystem::directory_iterator()));
  }

  formats::TestFolder folder_;
  std::string source_path_;
};

std::vector<float> values_of(const Checkpoint& checkpoint, TensorId id, std::size_t layer) {
  const auto stored = checkpoint.tensor(id, layer);
  EXPECT_TRUE(stored) << stored.error().message;
  std::vector<std::byte> bytes(stored->rows * *tensor::row_bytes(stored->type, stored->columns));
  EXPECT_TRUE(stored->source->read_at(stored->offset, bytes));
  std::vector<float> values(stored->rows * stored->columns);
  tensor::dequantize(stored->type, bytes, values);
  tensor::apply_row_scales(stored->row_scales, values);
  return values;
}

// Every tensor of the output against the source's: as near as the type allows, and as near as the report
// says.
void expect_near(const Checkpoint& source, const Checkpoint& output, const QuantizeReport& report,
                 double limit) {
  for (const model::TensorInfo& info : model::tensor_table()) {
    for (std::size_t layer = 0; layer < (info.per_layer ? source.config().layers : 1); ++layer) {
      ASSERT_EQ(output.has(info.id, layer), source.has(info.id, layer));
      if (!source.has(info.id, layer)) continue;
      SCOPED_TRACE(info.name);
      if (info.is_norm) {
        const auto expected = *source.vector(info.id, layer);
        const auto actual = *output.vector(info.id, layer);
        for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 2e-7F);
        continue;
      }
      const std::vector<float> expected = values_of(source, info.id, layer);
      const std::vector<float> actual = values_of(output, info.id, layer);
      double squares = 0.0;
      double errors = 0.0;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        squares += std::pow(static_cast<double>(expected[i]), 2);
        errors += std::pow(static_cast<double>(actual[i]) - expected[i], 2);
      }
      const double relative = std::sqrt(errors / squares);
      EXPECT_LE(relative, limit);
      const std::string name = output.tensor(info.id, layer)->name;
      const auto said = std::ranges::find(report.tensors, name, &TensorReport::name);
      ASSERT_NE(said, report.tensors.end());
      EXPECT_NEAR(said->relative_error, relative, 1e-6 + 1e-4 * relative);
    }
  }
}

TEST_F(QuantizeModelTest, EveryPrecisionKeepsTheModel) {
  struct Case {
    Precision precision;
    const char* output;
    double limit;  // relative to the root mean square of a sine
  };
  for (const Case& c :
       {Case{Precision::kBf16, "bf16.gguf", 0.003}, Case{Precision::kBf16, "bf16", 0.003},
        Case{Precision::kQ8_0, "q8.gguf", 0.004}, Case{Precision::kSfp8, "sfp8", 0.04},
        Case{Precision::kInt4Block, "q4.gguf", 0.09}, Case{Precision::kQ4_K_M, "q4_k_m.gguf", 0.09},
        Case{Precision::kInt4, "int4", 0.09}}) {
    SCOPED_TRACE(c.output);
    const auto report = quantize(c.precision, c.output);
    ASSERT_TRUE(report) << report.error().message;
    const Checkpoint source = open("source.gguf");
    const Checkpoint output = open(c.output);
    expect_near(source, output, *report, c.limit);
    const auto vocabulary = output.vocabulary();
    ASSERT_TRUE(vocabulary) << vocabulary.error().message;
    EXPECT_EQ(std::get<model::VocabularyArrays>(*vocabulary).texts,
              std::get<model::VocabularyArrays>(*source.vocabulary()).texts);
    EXPECT_EQ(output.config().query_scale, source.config().query_scale);
    EXPECT_EQ(output.config().layer_kinds, source.config().layer_kinds);
    EXPECT_EQ(output.config().rope_factor_global, source.config().rope_factor_global);
  }
}

TEST_F(QuantizeModelTest, TypesFallBackWhereRowsAreNoWholeBlocks) {
  ASSERT_TRUE(quantize(Precision::kQ4_K_M, "out.gguf"));
  const Checkpoint output = open("out.gguf");
  EXPECT_EQ(output.tensor(TensorId::kEmbedding)->type, ElementType::kQ8_0);    // rows of 64
  EXPECT_EQ(output.tensor(TensorId::kGateProj)->type, ElementType::kQ5_0);     // 64
  EXPECT_EQ(output.tensor(TensorId::kDownProj)->type, ElementType::kQ4_K);     // 256
  EXPECT_EQ(output.tensor(TensorId::kDownProj, 1)->type, ElementType::kQ6_K);  // of the last eighth
}

TEST_F(QuantizeModelTest, SafetensorsGoOnToGguf) {
  ASSERT_TRUE(quantize(Precision::kBf16, "folder"));
  const auto report = quantize(Precision::kQ8_0, "out.gguf", "folder");
  ASSERT_TRUE(report) << report.error().message;
  expect_near(open("folder"), open("out.gguf"), *report, 0.004);
}

TEST_F(QuantizeModelTest, RefusesOutputsThatDoNotSuit) {
  EXPECT_TRUE(is_error(quantize(Precision::kInt4, "out.gguf"), ErrorKind::kUsage, {"out.gguf", "folder"}));
  EXPECT_TRUE(is_error(quantize(Precision::kQ8_0, "out"), ErrorKind::kUsage, {".gguf"}));
  EXPECT_TRUE(is_error(quantize(Precision::kQ8_0, "source.gguf"), ErrorKind::kUsage, {"is the source"}));
  ASSERT_TRUE(quantize(Precision::kSfp8, "taken"));
  EXPECT_TRUE(
      is_error(quantize(Precision::kSfp8, "taken"), ErrorKind::kUsage, {"does not exist or is empty"}));
  EXPECT_EQ(files(), 2U);
}

TEST_F(QuantizeModelTest, LeavesNothingBehindWhenItEndsEarly) {
  std::stop_source stop;
  stop.request_stop();
  for (const char* output : {"out.gguf", "out"}) {
    EXPECT_TRUE(is_error(quantize(Precision::kBf16, output, "source.gguf", stop.get_token()),
                         ErrorKind::kInterrupted, {}));
  }
  model::TinyModel broken = tiny_model();
  broken.first_values["blk.1.ffn_up.weight"] = NAN;
  folder_.write("broken.gguf", broken.gguf());
  EXPECT_TRUE(is_error(quantize(Precision::kInt4, "out", "broken.gguf"), ErrorKind::kInvalidModel,
                       {"blk.1.ffn_up.weight", "rows 0 to"}));
  EXPECT_EQ(files(), 2U);
}

TEST_F(QuantizeModelTest, WarnsOfWhatMayDisappoint) {
  const auto report = quantize(Precision::kInt4, "out");
  ASSERT_TRUE(report);
  ASSERT_EQ(report->remarks.size(), 1U);
  EXPECT_NE(report->remarks[0].find("rounding alone ruins"), std::string::npos);
  const auto again = quantize(Precision::kInt4Block, "again.gguf", "out");
  ASSERT_TRUE(again);
  ASSERT_EQ(again->remarks.size(), 1U);
  EXPECT_NE(again->remarks[0].find("quantized already"), std::string::npos);
}

}  // namespace
}  // namespace carat::quantize
