#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/random_model.h"
#include "tests/support.h"

// The same logits to the bit, however the rows of a sequence are grouped into steps, whatever runs beside it,
// on any number of threads, and for weights other than bfloat16 on every instruction-set level.
namespace carat::tests {
namespace {

using model::TensorId;
using tensor::ElementType;
using tensor::KvType;

// The mixtures of types that common files have, the types that only safetensors hold, and one of
// floating-point ones.
ElementType like_q4_k_m(TensorId id) {
  switch (id) {
    case TensorId::kEmbedding:
    case TensorId::kVProj: return ElementType::kQ8_0;
    case TensorId::kOProj: return ElementType::kQ4_K;
    case TensorId::kDownProj: return ElementType::kQ6_K;
    default: return ElementType::kQ5_0;
  }
}
ElementType like_q4_0(TensorId id) {
  switch (id) {
    case TensorId::kEmbedding: return ElementType::kQ8_0;
    case TensorId::kDownProj: return ElementType::kQ4_1;
    default: return ElementType::kQ4_0;
  }
}
ElementType low_bits(TensorId id) {
  switch (id) {
    case TensorId::kOProj: return ElementType::kQ3_K;
    case TensorId::kDownProj: return ElementType::kQ2_K;
    case TensorId::kGateProj: return ElementType::kQ5_1;
    default: return ElementType::kIQ4_NL;
  }
}
ElementType k_types(TensorId id) {
  switch (id) {
    case TensorId::kOProj: return ElementType::kQ5_K;
    case TensorId::kDownProj: return ElementType::kIQ4_XS;
    default: return ElementType::kQ8_0;
  }
}
ElementType int4_per_channel(TensorId) { return ElementType::kInt4; }
ElementType sfp8(TensorId) { return ElementType::kSFP8; }
ElementType floating(TensorId id) {
  switch (id) {
    case TensorId::kEmbedding:
    case TensorId::kQProj: return ElementType::kBF16;
    case TensorId::kDownProj: return ElementType::kF16;
    case TensorId::kUpProj: return ElementType::kF32;
    default: return ElementType::kBF16;
  }
}

struct Mixture {
  const char* name;
  ElementType (*type_of)(TensorId);
  bool exact;  // on every level
};
constexpr Mixture kMixtures[] = {{"q4_k_m", like_q4_k_m, true},
                                 {"q4_0", like_q4_0, true},
                                 {"low_bits", low_bits, true},
                                 {"k_types", k_types, true},
                                 {"int4_per_channel", int4_per_channel, true},
                                 {"sfp8", sfp8, true},
                                 {"floating", floating, false}};
constexpr std::size_t kMixtureCount = std::size(kMixtures);

// Past blocks of 64 positions, the window of 48, and one chunk of 512.
constexpr std::size_t kPromptTokens = 540;
// As many for small chunks, whose steps cost more, and for the slow plain level: past two blocks.
constexpr std::size_t kFewTokens = 140;

testing::AssertionResult same_bits(std::span<const float> actual, std::span<const float> expected) {
  if (actual.size() != expected.size()) {
    return testing::AssertionFailure() << actual.size() << " logits instead of " << expected.size();
  }
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (std::memcmp(&actual[i], &expected[i], sizeof(float)) != 0) {
      return testing::AssertionFailure() << "logit " << i << " is " << actual[i] << ", not " << expected[i];
    }
  }
  return testing::AssertionSuccess();
}

class SameBitsTest : public testing::TestWithParam<std::tuple<std::size_t, std::string>> {
 protected:
  const Mixture& mixture() const { return kMixtures[std::get<0>(GetParam())]; }
  const std::string& level() const { return std::get<1>(GetParam()); }
  std::string write_model() const {
    return write_random_model(std::string("same_bits_") + mixture().name + "_" + level(), mixture().type_of,
                              11);
  }
};

TEST_P(SameBitsTest, InAnyChunksOnAnyNumberOfThreads) {
  CARAT_SKIP_WITHOUT_LEVEL(level());
  const std::string path = write_model();
  const auto ids = random_ids(kPromptTokens, random_model_config().vocab, 12);
  Logits expected;
  for (const std::size_t threads : {1, 2, 4}) {
    const Loaded loaded = load_cpu(path, cpu_options(level(), threads));
    ASSERT_NE(loaded.model, nullptr);
    for (const std::size_t chunk : {512, 64, 7, 1}) {
      const std::size_t tokens = chunk < 64 || level() == "scalar" ? kFewTokens : kPromptTokens;
      const Logits actual = logits_alone(*loaded.model, KvType::kF16, std::span(ids).first(tokens), chunk);
      if (expected.values.empty()) expected = actual;
      EXPECT_TRUE(same_bits(actual.values, std::span(expected.values).first(tokens * expected.vocab)))
          << "chunks of " << chunk << ", threads " << threads;
    }
  }
}

TEST_P(SameBitsTest, AloneOrInABatch) {
  CARAT_SKIP_WITHOUT_LEVEL(level());
  const Loaded loaded = load_cpu(write_model(), cpu_options(level(), 2));
  ASSERT_NE(loaded.model, nullptr);
  constexpr std::size_t kMost = 64;
  std::vector<Sequence> sequences;
  std::vector<Logits> alone;
  for (unsigned s = 0; s < kMost; ++s) {
    // Different lengths and chunks, so that prefill and decode rows share steps.
    sequences.push_back(
        {random_ids(2 + s * 7 % 43, random_model_config().vocab, s), s % 3 == 0 ? 17UL : 1UL});
    alone.push_back(logits_alone(*loaded.model, KvType::kBF16, sequences[s].ids, sequences[s].ids.size()));
  }
  for (const std::size_t count : {2, 9, 64}) {
    const auto together = logits_together(*loaded.model, KvType::kBF16, std::span(sequences).first(count));
    for (std::size_t s = 0; s < count; ++s) {
      EXPECT_TRUE(same_bits(together[s].values, alone[s].values)) << "sequence " << s << " of " << count;
    }
  }
}

// Levels are compared with the plainest one, which every machine has.
TEST_P(SameBitsTest, OnEveryIntegerLevel) {
  CARAT_SKIP_WITHOUT_LEVEL(level());
  if (!mixture().exact && !level_is_integer_exact(level())) {
    GTEST_SKIP() << "not promised: level " << level() << " rounds activations of bf16 weights to bfloat16";
  }
  const std::string path = write_model();
  const auto ids = random_ids(150, random_model_config().vocab, 13);
  for (const bool exact : {false, true}) {
    const Loaded plainest = load_cpu(path, cpu_options("scalar", 1, exact));
    const Loaded loaded = load_cpu(path, cpu_options(level(), 1, exact));
    ASSERT_NE(plainest.model, nullptr);
    ASSERT_NE(loaded.model, nullptr);
    EXPECT_NE(loaded.backend->description().find(level()), std::string::npos)
        << loaded.backend->description();
    for (const KvType kv : {KvType::kF32, KvType::kF16, KvType::kBF16}) {
      const Logits expected = logits_alone(*plainest.model, kv, ids, 64);
      const Logits actual = logits_alone(*loaded.model, kv, ids, 64);
      EXPECT_TRUE(same_bits(actual.values, expected.values)) << loaded.backend->description();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, SameBitsTest,
                         testing::Combine(testing::Range<std::size_t>(0, kMixtureCount),
                                          testing::ValuesIn(level_names())),
                         [](const auto& test) {
                           return std::string(kMixtures[std::get<0>(test.param)].name) + "_" +
                                  std::get<1>(test.param);
                         });

}  // namespace
}  // namespace carat::tests
