#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backend/reference/reference_backend.h"
#include "tests/random_model.h"
#include "tests/support.h"
#include "tests/tolerance.h"

// The cpu backend on quantized weights against the f64 reference on the same weights, decoded.
namespace carat::tests {
namespace {

using model::TensorId;
using tensor::ElementType;
using tensor::KvType;

// `wide` where rows are whole blocks of 256, `narrow` elsewhere; see random_model_config().
struct Mix {
  ElementType narrow;
  ElementType wide;

  std::string name() const {
    return std::string(tensor::info(narrow).name) + "_" + std::string(tensor::info(wide).name);
  }
  ElementType operator()(TensorId id) const {
    return id == TensorId::kOProj || id == TensorId::kDownProj ? wide : narrow;
  }
  bool has(ElementType type) const { return narrow == type || wide == type; }
  bool all_integer() const {
    return tensor::info(narrow).block_values > 1 && tensor::info(wide).block_values > 1;
  }
};

// Every element type at least once.
const std::vector<Mix> kMixes = {
    {ElementType::kF32, ElementType::kF16},   {ElementType::kBF16, ElementType::kBF16},
    {ElementType::kQ8_0, ElementType::kQ4_K}, {ElementType::kQ5_0, ElementType::kQ6_K},
    {ElementType::kQ4_0, ElementType::kQ4_0}, {ElementType::kQ4_1, ElementType::kQ5_K},
    {ElementType::kQ5_1, ElementType::kQ3_K}, {ElementType::kIQ4_NL, ElementType::kIQ4_XS},
    {ElementType::kQ8_0, ElementType::kQ2_K}, {ElementType::kInt4, ElementType::kInt4},
    {ElementType::kSFP8, ElementType::kSFP8},
};

// What the table of tolerances says a backend rounds to, by weights, activation mode and level.
double activation_rounding(const Mix& mix, bool exact_activations, const std::string& level) {
  if (mix.has(ElementType::kBF16)) return level_is_integer_exact(level) ? kF32Activations : kBf16Activations;
  if (!mix.all_integer()) return kF32Activations;
  return exact_activations ? kTwoTermActivations : kInt8Activations;
}

class QuantizedParityTest : public testing::TestWithParam<std::tuple<std::size_t, std::string>> {};

TEST_P(QuantizedParityTest, StaysWithinTheDerivedTolerances) {
  const Mix& mix = kMixes[std::get<0>(GetParam())];
  const std::string& level = std::get<1>(GetParam());
  CARAT_SKIP_WITHOUT_LEVEL(level);
  const std::string path = write_random_model("tolerance_" + mix.name() + "_" + level, mix, 7);
  const auto ids = random_ids(100, random_model_config().vocab, 8);
  const Loaded reference = load(path, backend::make_reference_backend());
  ASSERT_NE(reference.model, nullptr);
  const Logits expected = logits_alone(*reference.model, KvType::kF32, ids, ids.size());

  for (const KvType kv : {KvType::kF32, KvType::kF16, KvType::kBF16}) {
    double differences[2] = {};
    for (const bool exact : {false, true}) {
      const Loaded cpu = load_cpu(path, cpu_options(level, 2, exact));
      ASSERT_NE(cpu.model, nullptr);
      const double difference = relative_difference(logits_alone(*cpu.model, kv, ids, ids.size()), expected);
      const Precision precision{.activations = activation_rounding(mix, exact, level), .kv = kv_rounding(kv)};
      EXPECT_LE(difference, logit_tolerance(precision, random_model_config().layers))
          << (exact ? "exact" : "fast") << " activations, KV type " << static_cast<int>(kv);
      differences[exact ? 1 : 0] = difference;
    }
    if (mix.all_integer() && kv == KvType::kF32) {
      EXPECT_GT(differences[0], 20 * differences[1]) << "exact activations seem to make no difference";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, QuantizedParityTest,
                         testing::Combine(testing::Range<std::size_t>(0, kMixes.size()),
                                          testing::ValuesIn(level_names())),
                         [](const auto& test) {
                           return kMixes[std::get<0>(test.param)].name() + "_" + std::get<1>(test.param);
                         });

}  // namespace
}  // namespace carat::tests
