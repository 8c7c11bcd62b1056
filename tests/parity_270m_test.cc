#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "backend/reference/reference_backend.h"
#include "base/test_fixture.h"
#include "tests/support.h"

// The real Gemma 3 270M against f32 transformers on the same weights: a stored sample of the full comparison
// that tools/parity_270m.py makes, which also wrote the fixture. Skipped where the model is not installed.
namespace carat::tests {
namespace {

using tensor::KvType;

std::string model_path() {
  if (const char* path = std::getenv("CARAT_MODEL")) return path;
  const char* const data = std::getenv("XDG_DATA_HOME");
  const char* const home = std::getenv("HOME");
  const std::string root =
      data != nullptr && *data != '\0' ? data : std::string(home ? home : "") + "/.local/share";
  return root + "/carat/models/gemma-3-270m-q4_k_m.gguf";
}

struct StoredPosition {
  double log_sum_exp = 0.0;  // over the whole vocabulary
  std::vector<TokenId> ids;  // of the largest logits, largest first
  std::vector<float> logits;
};
struct Fixture {
  std::vector<TokenId> ids;
  std::map<std::size_t, StoredPosition> positions;
};

// u32 tokens, positions, top; ids; per position u32 position, f32 log-sum-exp, ids [top], logits [top].
Fixture read_fixture() {
  const auto bytes = read_file(test_fixture("parity_270m.bin"));
  std::size_t at = 0;
  const auto take = [&](auto* out, std::size_t count) {
    const std::size_t size = count * sizeof *out;
    ASSERT_LE(size, bytes.size() - at);
    std::memcpy(out, bytes.data() + at, size);
    at += size;
  };
  std::uint32_t sizes[3] = {};
  take(sizes, 3);
  Fixture fixture;
  fixture.ids.resize(sizes[0]);
  take(fixture.ids.data(), sizes[0]);
  for (std::uint32_t i = 0; i < sizes[1]; ++i) {
    std::uint32_t position = 0;
    float log_sum_exp = 0.0F;
    take(&position, 1);
    take(&log_sum_exp, 1);
    StoredPosition& stored = fixture.positions[position];
    stored.log_sum_exp = log_sum_exp;
    stored.ids.resize(sizes[2]);
    stored.logits.resize(sizes[2]);
    take(stored.ids.data(), sizes[2]);
    take(stored.logits.data(), sizes[2]);
  }
  EXPECT_EQ(at, bytes.size());
  return fixture;
}

double log_sum_exp(std::span<const float> logits) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum);
}

struct Agreement {
  double kl = 0.0;           // mean over positions, in nats
  double top1 = 0.0;         // share of positions with the same largest logit
  double worst_logit = 0.0;  // largest difference of any stored logit
  std::size_t positions = 0;
};

// Compares the first `tokens` positions, as far as they are stored. KL(stored || actual) is taken over the
// events "one of the stored ids" and "any other": by the data-processing inequality a lower bound of that
// over the whole vocabulary, and close to it since the stored ids hold nearly all probability.
Agreement compare(const Loaded& loaded, const Fixture& fixture, std::size_t tokens) {
  Agreement agreement;
  const Sequence sequence{{fixture.ids.begin(), fixture.ids.begin() + static_cast<std::ptrdiff_t>(tokens)},
                          128};
  run_together(
      *loaded.model, KvType::kF16, {&sequence, 1},
      [&](std::size_t position) { return fixture.positions.contains(position); },
      [&](std::size_t, std::size_t position, std::span<const float> logits) {
        const StoredPosition& stored = fixture.positions.at(position);
        const double actual_sum = log_sum_exp(logits);
        double stored_rest = 1.0;
        double actual_rest = 1.0;
        for (std::size_t i = 0; i < stored.ids.size(); ++i) {
          const float actual = logits[static_cast<std::size_t>(stored.ids[i])];
          const double log_p = stored.logits[i] - stored.log_sum_exp;
          const double log_q = actual - actual_sum;
          agreement.kl += std::exp(log_p) * (log_p - log_q);
          stored_rest -= std::exp(log_p);
          actual_rest -= std::exp(log_q);
          agreement.worst_logit =
              std::max(agreement.worst_logit, std::abs(static_cast<double>(actual) - stored.logits[i]));
        }
        if (stored_rest > 1e-6 && actual_rest > 0.0)
          agreement.kl += stored_rest * std::log(stored_rest / actual_rest);
        if (std::ranges::max_element(logits) - logits.begin() == stored.ids.front()) agreement.top1 += 1.0;
        ++agreement.positions;
      });
  const auto count = static_cast<double>(std::max<std::size_t>(agreement.positions, 1));
  agreement.kl /= count;
  agreement.top1 /= count;
  return agreement;
}

void report(const Agreement& agreement) {
  testing::Test::RecordProperty("mean_kl", std::to_string(agreement.kl));
  testing::Test::RecordProperty("top1", std::to_string(agreement.top1));
  std::printf("mean KL %.3e, top-1 %.2f%%, largest logit difference %.2e over %zu positions\n", agreement.kl,
              100.0 * agreement.top1, agreement.worst_logit, agreement.positions);
}

class Parity270mTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(model_path())) {
      GTEST_SKIP() << "not run: no model at " << model_path() << "; CARAT_MODEL names another place";
    }
  }
  const Fixture fixture_ = read_fixture();
};

TEST_F(Parity270mTest, ExactActivationsAgreeWithTransformers) {
  const Loaded loaded = load_cpu(model_path(), cpu_options("", 2, true));
  ASSERT_NE(loaded.model, nullptr);
  const Agreement agreement = compare(loaded, fixture_, fixture_.ids.size());
  report(agreement);
  EXPECT_EQ(agreement.positions, 256u);
  EXPECT_LE(agreement.kl, 1e-5);  // measured: 3e-7
  EXPECT_GE(agreement.top1, 0.99);
}

TEST_F(Parity270mTest, FastActivationsStayClose) {
  const Loaded loaded = load_cpu(model_path(), cpu_options("", 2));
  ASSERT_NE(loaded.model, nullptr);
  const Agreement agreement = compare(loaded, fixture_, fixture_.ids.size());
  report(agreement);
  EXPECT_EQ(agreement.positions, 256u);
  EXPECT_LE(agreement.kl, 3e-3);  // measured: 1.2e-3 and 97.7%
  EXPECT_GE(agreement.top1, 0.96);
}

TEST_F(Parity270mTest, SlowF64ReferenceAgreesWithTransformersOver64Tokens) {
  const Loaded loaded = load(model_path(), backend::make_reference_backend());
  ASSERT_NE(loaded.model, nullptr);
  const Agreement agreement = compare(loaded, fixture_, 64);
  report(agreement);
  EXPECT_EQ(agreement.positions, 64u);
  EXPECT_LE(agreement.kl, 1e-6);
  EXPECT_EQ(agreement.top1, 1.0);
}

}  // namespace
}  // namespace carat::tests
