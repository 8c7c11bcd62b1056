#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "backend/reference/reference_backend.h"
#include "base/test_fixture.h"
#include "model/adapter.h"
#include "tests/support.h"
#include "tests/tolerance.h"

// LoRA adapters of the tiny random models against the logits that PEFT gave for them;
// tools/make_lora_fixtures.py made them and describes them.
namespace carat::tests {
namespace {

using tensor::KvType;

constexpr double kTolerance = 1e-4;   // f32 against f32: relative to the largest logit
constexpr double kScoreSpread = 4.0;  // of the tiny models' attention scores, as in parity_tiny_test.cc

struct Part {
  std::string adapter;
  float weight = 1.0F;
};
struct Case {
  std::string name;
  std::string base;
  std::vector<Part> adapters;
  std::string logits;
  bool is_bf16 = false;
};

// For GoogleTest: the name instead of the bytes.
std::ostream& operator<<(std::ostream& out, const Case& test) { return out << test.name; }

std::vector<Case> cases() {
  const std::string wide = "tiny_models/wide_heads";
  return {
      {"plain", wide, {{"plain"}}, "plain"},
      {"gguf", wide, {{"plain.gguf"}}, "plain"},
      {"weighted", wide, {{"plain", 0.75F}, {"other", -1.5F}}, "weighted"},
      {"rank_stabilized", "tiny_models/odd_sizes", {{"rank_stabilized"}}, "rank_stabilized"},
      {"patterns", "tiny_models/seven_layers", {{"patterns"}}, "patterns", true},
      {"multimodal", "tiny_vision/one_token", {{"multimodal"}}, "multimodal"},
  };
}

// A model with the adapters of a case. Failures to load fail the test and leave the model null.
struct Adapted {
  Loaded base;
  std::vector<std::unique_ptr<const model::Adapter>> adapters;
  std::vector<model::WeightedAdapter> weighted;
};

Adapted load_case(const Case& test, Loaded base) {
  Adapted adapted{std::move(base), {}, {}};
  for (const auto& [name, weight] : test.adapters) {
    const auto file = model::AdapterFile::open(test_fixture("lora/") + name);
    if (!file) {
      ADD_FAILURE() << file.error().message;
      return {};
    }
    auto adapter = model::Adapter::load(*file, adapted.base.model->config(), *adapted.base.backend);
    if (!adapter) {
      ADD_FAILURE() << adapter.error().message;
      return {};
    }
    adapted.weighted.push_back({adapter->get(), weight});
    adapted.adapters.push_back(std::move(*adapter));
  }
  return adapted;
}

// The backend is "reference" or a level of the cpu backend.
std::vector<std::string> backend_names() {
  auto names = level_names();
  names.insert(names.begin(), "reference");
  return names;
}

class LoraParityTest : public testing::TestWithParam<std::tuple<Case, std::string>> {
 protected:
  const Case& test() const { return std::get<0>(GetParam()); }
  const std::string& backend_name() const { return std::get<1>(GetParam()); }
  bool on_reference() const { return backend_name() == "reference"; }

  Adapted load() const {
    const std::string path = test_fixture(test().base);
    return load_case(test(), on_reference() ? tests::load(path, backend::make_reference_backend())
                                            : load_cpu(path, cpu_options(backend_name(), 2)));
  }

  // Only a level that rounds activations to bfloat16 for the one bf16 adapter is allowed more.
  double tolerance(std::size_t layers) const {
    const bool rounds = test().is_bf16 && !on_reference() && !level_is_integer_exact(backend_name());
    return rounds ? logit_tolerance({kBf16Activations, 0.0}, layers, kScoreSpread) : kTolerance;
  }
};

TEST_P(LoraParityTest, LogitsOfEveryPositionAgreeWithPeftInAnyChunks) {
  if (!on_reference()) CARAT_SKIP_WITHOUT_LEVEL(backend_name());
  const Expected expected = read_expected(test_fixture("lora/") + test().logits + ".bin");
  const Adapted adapted = load();
  ASSERT_FALSE(adapted.weighted.empty());
  model::Model& model = *adapted.base.model;
  for (const std::size_t chunk : {expected.ids.size(), std::size_t{1}, std::size_t{7}}) {
    const Logits actual = logits_alone(model, KvType::kF32, expected.ids, chunk, adapted.weighted);
    EXPECT_LE(relative_difference(actual, expected.logits), tolerance(model.config().layers))
        << "in chunks of " << chunk;
  }
  const Logits plain = logits_alone(model, KvType::kF32, expected.ids, expected.ids.size());
  EXPECT_GT(relative_difference(plain, expected.logits), 0.1);  // the adapter matters
}

// Requests with different adapters in one batch: each gets the bits it gets alone.
TEST_P(LoraParityTest, BitsDoNotDependOnOtherRequestsOrThreads) {
  if (!on_reference()) CARAT_SKIP_WITHOUT_LEVEL(backend_name());
  const Adapted adapted = load();
  ASSERT_FALSE(adapted.weighted.empty());
  model::Model& model = *adapted.base.model;
  const std::vector<TokenId> ids = random_ids(23, model.config().vocab, 5);
  std::vector<model::WeightedAdapter> half = adapted.weighted;
  for (auto& [adapter, weight] : half) weight *= 0.5F;
  const std::vector<Sequence> sequences = {
      {ids, 5, adapted.weighted}, {ids, 5, {}}, {ids, 3, half}, {ids, 5, half}, {ids, 1, adapted.weighted}};
  const std::vector<Logits> together = logits_together(model, KvType::kF16, sequences);
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    const Logits alone = logits_alone(model, KvType::kF16, ids, ids.size(), sequences[s].adapters);
    EXPECT_EQ(together[s].values, alone.values) << "sequence " << s;
  }
  EXPECT_EQ(together[0].values, together[4].values);
  EXPECT_NE(together[0].values, together[1].values);
  EXPECT_NE(together[0].values, together[2].values);
}

INSTANTIATE_TEST_SUITE_P(All, LoraParityTest,
                         testing::Combine(testing::ValuesIn(cases()), testing::ValuesIn(backend_names())),
                         [](const auto& test) {
                           return std::get<0>(test.param).name + "_" + std::get<1>(test.param);
                         });

// The same numbers in PEFT's and in llama.cpp's format are the same adapter.
TEST(LoraFixtures, BothFormatsHaveOneHash) {
  const auto hash = [](const std::string& name) {
    return model::AdapterFile::open(test_fixture("lora/") + name).value().content_hash().value();
  };
  EXPECT_EQ(hash("plain"), hash("plain.gguf"));
  EXPECT_NE(hash("plain"), hash("other"));
}

}  // namespace
}  // namespace carat::tests
