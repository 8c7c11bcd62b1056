#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backend/reference/reference_backend.h"
#include "base/test_fixture.h"
#include "tests/support.h"
#include "tests/tolerance.h"

// Tiny random models against the logits that f32 transformers gave for them; tools/make_tiny_models.py wrote
// the checkpoints, describes them, and stored the logits beside them.
namespace carat::tests {
namespace {

using tensor::KvType;

constexpr double kTolerance = 1e-4;  // f32 against f32: relative to the largest logit
// The gains of q_norm and k_norm are about 2 in these models, so scores have a deviation of about 4.
constexpr double kScoreSpread = 4.0;

std::string folder_of(const std::string& model) { return test_fixture("tiny_models/") + model; }

std::vector<std::string> model_names() {
  return {"wide_heads", "narrow_heads", "seven_layers", "scalar_of_27b", "wrapped", "odd_sizes", "chat"};
}

// The backend is "reference" or a level of the cpu backend.
std::vector<std::string> backend_names() {
  auto names = level_names();
  names.insert(names.begin(), "reference");
  return names;
}

class TinyModelTest : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  const std::string& model_name() const { return std::get<0>(GetParam()); }
  const std::string& backend_name() const { return std::get<1>(GetParam()); }
  bool on_reference() const { return backend_name() == "reference"; }

  Loaded load_model() const {
    const std::string path = folder_of(model_name());
    if (on_reference()) return load(path, backend::make_reference_backend());
    return load_cpu(path, cpu_options(backend_name(), 2));
  }

  // Only a level that rounds activations to bfloat16 for the one bf16 checkpoint is allowed more.
  double tolerance(std::size_t layers) const {
    const bool rounds =
        model_name() == "wrapped" && !on_reference() && !level_is_integer_exact(backend_name());
    return rounds ? logit_tolerance({kBf16Activations, 0.0}, layers, kScoreSpread) : kTolerance;
  }
};

TEST_P(TinyModelTest, LogitsOfEveryPositionAgreeWithTransformersInAnyChunks) {
  if (!on_reference()) CARAT_SKIP_WITHOUT_LEVEL(backend_name());
  const Expected expected = read_expected(folder_of(model_name()) + "/expected.bin");
  const Loaded loaded = load_model();
  ASSERT_NE(loaded.model, nullptr);
  ASSERT_GT(expected.ids.size(), loaded.model->config().sliding_window);
  const std::size_t whole = expected.ids.size();
  for (const std::size_t chunk : {whole, std::size_t{1}, std::size_t{3}, std::size_t{7}}) {
    const Logits actual = logits_alone(*loaded.model, KvType::kF32, expected.ids, chunk);
    EXPECT_LE(relative_difference(actual, expected.logits), tolerance(loaded.model->config().layers))
        << "in chunks of " << chunk;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TinyModelTest,
                         testing::Combine(testing::ValuesIn(model_names()),
                                          testing::ValuesIn(backend_names())),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" + std::get<1>(test.param);
                         });

}  // namespace
}  // namespace carat::tests
