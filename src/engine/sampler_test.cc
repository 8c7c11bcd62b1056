#include "engine/sampler.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "base/counter_rng.h"

namespace carat::engine {
namespace {

using prompt::SamplingParams;
using testing::HasSubstr;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

SamplingParams plain() {  // every step off
  SamplingParams params;
  params.top_k = 0;
  params.top_p = 1.0F;
  return params;
}

std::vector<float> random_logits(std::size_t count, std::uint32_t seed, float spread = 3.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

// Largest first, ties to the lower id.
void rank_by(const std::vector<double>& p, std::vector<std::size_t>& order) {
  std::ranges::sort(order,
                    [&](std::size_t a, std::size_t b) { return p[a] > p[b] || (p[a] == p[b] && a < b); });
}

// The documented steps, one plain loop each over [vocabulary]; returns each token's probability.
std::vector<double> oracle(const std::vector<float>& logits, const SamplingParams& params,
                           const TokenMask& mask, const std::set<TokenId>& prompt,
                           const std::vector<TokenId>& answer) {
  const std::size_t n = logits.size();
  std::vector<double> x(logits.begin(), logits.end());
  for (const auto& [token, bias] : params.logit_bias) x[token] += bias;
  for (std::size_t i = 0; i < n; ++i) {
    const auto token = static_cast<TokenId>(i);
    const auto uses = std::ranges::count(answer, token);
    if (uses > 0 || prompt.contains(token)) {
      x[i] = x[i] > 0 ? x[i] / params.repetition_penalty : x[i] * params.repetition_penalty;
    }
    x[i] -=
        static_cast<double>(uses) * params.frequency_penalty + (uses > 0 ? params.presence_penalty : 0.0F);
  }
  std::vector<std::size_t> ranked;
  for (std::size_t i = 0; i < n; ++i) {
    if (mask.allows(static_cast<TokenId>(i))) ranked.push_back(i);
  }
  rank_by(x, ranked);
  std::vector<double> p(n, 0.0);
  if (params.temperature == 0.0F) {
    p[ranked[0]] = 1.0;
    return p;
  }
  const auto normalise = [&] {
    double sum = 0.0;
    for (const std::size_t i : ranked) sum += p[i];
    for (const std::size_t i : ranked) p[i] /= sum;
  };
  const auto keep = [&](std::size_t count) {
    for (std::size_t r = count; r < ranked.size(); ++r) p[ranked[r]] = 0.0;
    ranked.resize(std::min(ranked.size(), count));
    normalise();
  };
  for (const std::size_t i : ranked) p[i] = std::exp((x[i] - x[ranked[0]]) / params.temperature);
  normalise();
  if (params.top_k > 0) keep(static_cast<std::size_t>(params.top_k));
  if (params.top_p < 1.0F) {
    std::size_t count = 1;
    for (double sum = p[ranked[0]]; count < ranked.size() && sum < params.top_p; ++count)
      sum += p[ranked[count]];
    keep(count);
  }
  const double least = params.min_p * p[ranked[0]];
  keep(static_cast<std::size_t>(std::ranges::count_if(ranked, [&](std::size_t i) { return p[i] >= least; })));
  return p;
}

// Upper 0.1% point of chi-square (Wilson and Hilferty's approximation).
double chi_square_limit(double degrees) {
  const double c = 2.0 / (9.0 * degrees);
  return degrees * std::pow(1.0 - c + 3.09 * std::sqrt(c), 3.0);
}

struct Case {
  const char* name;
  SamplingParams params;
};

std::vector<Case> cases() {
  std::vector<Case> list;
  const auto add = [&list](const char* name, auto change) {
    list.push_back({name, plain()});
    change(list.back().params);
  };
  add("Plain", [](SamplingParams&) {});
  list.push_back({"Defaults", SamplingParams{}});
  add("Greedy", [](auto& p) { p.temperature = 0.0F; });
  add("Cold", [](auto& p) { p.temperature = 0.3F; });
  add("Hot", [](auto& p) { p.temperature = 2.5F; });
  add("NearlyZeroTemperature", [](auto& p) { p.temperature = 1e-40F; });
  add("TopK1", [](auto& p) { p.top_k = 1; });
  add("TopK5", [](auto& p) { p.top_k = 5; });
  add("TopKBeyondTheVocabulary", [](auto& p) { p.top_k = 1'000'000; });
  add("TopP0", [](auto& p) { p.top_p = 0.0F; });
  add("TopP60", [](auto& p) { p.top_p = 0.6F; });
  add("TopP99", [](auto& p) { p.top_p = 0.99F; });
  add("MinP10", [](auto& p) { p.min_p = 0.1F; });
  add("MinP1", [](auto& p) { p.min_p = 1.0F; });
  add("All", [](auto& p) {
    p.temperature = 1.7F;
    p.top_k = 12;
    p.top_p = 0.9F;
    p.min_p = 0.05F;
  });
  add("TopPCutsWhatTopKLeft", [](auto& p) {
    p.temperature = 4.0F;
    p.top_k = 6;
    p.top_p = 0.7F;
  });
  add("Bias", [](auto& p) { p.logit_bias = {{3, 4.0F}, {0, -100.0F}, {19, 100.0F}, {7, 2.5F}}; });
  add("BiasOfAForbiddenToken", [](auto& p) { p.logit_bias = {{5, 100.0F}}; });
  add("Repetition", [](auto& p) { p.repetition_penalty = 1.8F; });
  add("RepetitionReward", [](auto& p) { p.repetition_penalty = 0.5F; });
  add("Presence", [](auto& p) { p.presence_penalty = 1.5F; });
  add("Frequency", [](auto& p) { p.frequency_penalty = 0.8F; });
  add("FrequencyReward", [](auto& p) { p.frequency_penalty = -0.8F; });
  add("BiasBeforePenalties", [](auto& p) {  // a bias that changes a logit's sign tells the two orders apart
    p.logit_bias = {{1, 10.0F}, {2, -10.0F}};
    p.repetition_penalty = 2.0F;
    p.presence_penalty = 0.5F;
    p.frequency_penalty = 0.25F;
    p.top_k = 10;
    p.top_p = 0.95F;
  });
  return list;
}

class SamplerTest : public testing::TestWithParam<Case> {
 protected:
  static constexpr std::size_t kVocabulary = 24;

  SamplerTest() : mask_(kVocabulary, /*allowed=*/kVocabulary - 2) {
    mask_.forbid(5);
    logits_[1] = -1.0F;
    logits_[8] = 0.0F;  // a penalty must leave it at zero
    logits_[5] = 9.0F;  // the best, but forbidden
    logits_[23] = 9.5F;
    history_.add_prompt(std::vector<TokenId>(prompt_.begin(), prompt_.end()));
    for (const TokenId token : answer_) history_.add_answer(token);
  }

  std::vector<double> expected() const { return oracle(logits_, GetParam().params, mask_, prompt_, answer_); }

  TokenMask mask_;
  std::vector<float> logits_ = random_logits(kVocabulary, /*seed=*/5, /*spread=*/1.5F);
  const std::set<TokenId> prompt_ = {1, 2, 8, 20};
  const std::vector<TokenId> answer_ = {2, 4, 4, 4, 9, 5};
  TokenHistory history_;
};

TEST_P(SamplerTest, DrawsFromTheOraclesDistribution) {
  const std::vector<double> p = expected();
  Sampler sampler(GetParam().params, /*seed=*/77, mask_);
  constexpr int kDraws = 20'000;
  std::vector<int> counts(kVocabulary);
  for (std::size_t position = 0; position < kDraws; ++position) {
    const auto choice = sampler.choose(logits_, position, history_);
    ASSERT_TRUE(choice) << choice.error().message;
    ++counts[static_cast<std::size_t>(choice->token)];
  }
  double chi_square = 0.0;
  double rare_expected = 0.0;
  double rare_count = 0.0;
  double degrees = -1.0;
  for (std::size_t i = 0; i < kVocabulary; ++i) {
    const double expected_count = p[i] * kDraws;
    if (p[i] == 0.0) {
      EXPECT_EQ(counts[i], 0) << "token " << i << " was cut";
    } else if (expected_count < 10.0) {  // chi-square wants larger cells
      rare_expected += expected_count;
      rare_count += counts[i];
    } else {
      chi_square += (counts[i] - expected_count) * (counts[i] - expected_count) / expected_count;
      ++degrees;
    }
  }
  if (rare_expected > 0.0) {
    chi_square += (rare_count - rare_expected) * (rare_count - rare_expected) / rare_expected;
    ++degrees;
  }
  if (degrees >= 1.0) {
    EXPECT_LT(chi_square, chi_square_limit(degrees));
  } else {
    EXPECT_EQ(*std::ranges::max_element(counts), kDraws);
  }
}

TEST_P(SamplerTest, TheBestCandidatesGiveTheSameTokenAsAllLogits) {
  Sampler sampler(GetParam().params, /*seed=*/3, mask_);
  const auto needed = sampler.candidates_needed();
  if (!needed) return;
  std::vector<model::Candidate> best;
  for (std::size_t i = 0; i < kVocabulary; ++i) best.push_back({static_cast<TokenId>(i), logits_[i]});
  std::ranges::sort(best, [](const model::Candidate& a, const model::Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
  });
  best.resize(std::min(best.size(), *needed));
  for (std::size_t position = 0; position < 2000; ++position) {
    ASSERT_EQ(sampler.choose(best, position)->token, sampler.choose(logits_, position, history_)->token);
  }
}

INSTANTIATE_TEST_SUITE_P(Parameters, SamplerTest, testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

// The draw is the inverse of the cumulative distribution at one uniform number: over the ranking where a step
// cut tokens, over the ids where none did.
TEST(Sampler, UsesOneUniformNumberPerToken) {
  const TokenMask mask(/*vocabulary=*/50, /*allowed=*/50);
  const std::vector<float> logits = random_logits(50, /*seed=*/1);
  for (const bool cut : {false, true}) {
    SamplingParams params = plain();
    if (cut) params.top_k = 50;
    Sampler sampler(params, /*seed=*/9, mask);
    const std::vector<double> p = oracle(logits, params, mask, {}, {});
    std::vector<std::size_t> order(50);
    std::iota(order.begin(), order.end(), 0);
    if (cut) rank_by(p, order);
    for (std::size_t position = 0; position < 1000; ++position) {
      std::size_t i = 0;
      for (double sum = p[order[0]]; sum <= uniform_draw(9, position); sum += p[order[i]]) ++i;
      ASSERT_EQ(sampler.choose(logits, position, {})->token, order[i]) << "position " << position;
    }
  }
}

TEST(Sampler, AgreesWithTheOracleOnLargeVocabularies) {
  constexpr std::size_t kVocabulary = 20'000;
  TokenMask mask(kVocabulary, kVocabulary - 64);
  for (std::uint32_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<float> logits = random_logits(kVocabulary, seed);
    SamplingParams params = plain();
    params.temperature = 0.5F + 0.2F * static_cast<float>(seed);
    params.top_p = 0.3F + 0.06F * static_cast<float>(seed);
    params.top_k = seed % 3 == 0 ? 500 : 0;
    params.min_p = seed % 4 == 0 ? 0.001F : 0.0F;
    const std::vector<double> p = oracle(logits, params, mask, {}, {});
    std::vector<std::size_t> order(kVocabulary);
    std::iota(order.begin(), order.end(), 0);
    rank_by(p, order);
    Sampler sampler(params, seed, mask);
    for (std::size_t position = 0; position < 20; ++position) {
      std::size_t i = 0;
      for (double sum = p[order[0]]; sum <= uniform_draw(seed, position); sum += p[order[i]]) ++i;
      ASSERT_EQ(sampler.choose(logits, position, {})->token, order[i]);
    }
  }
}

TEST(Sampler, TiesGoToTheLowerId) {
  const TokenMask mask(/*vocabulary=*/6, /*allowed=*/6);
  const std::vector<float> logits = {0.0F, 1.0F, 2.0F, 2.0F, 2.0F, 1.0F};
  SamplingParams params = plain();
  params.temperature = 0.0F;
  EXPECT_EQ(Sampler(params, 0, mask).choose(logits, 0, {})->token, 2);
  params.temperature = 1.0F;
  params.top_k = 2;
  Sampler sampler(params, 0, mask);
  std::set<TokenId> drawn;
  for (std::size_t position = 0; position < 200; ++position) {
    drawn.insert(sampler.choose(logits, position, {})->token);
  }
  EXPECT_THAT(drawn, testing::ElementsAre(2, 3));
}

TEST(Sampler, SeedsAndPositionsGiveIndependentDraws) {
  const TokenMask mask(/*vocabulary=*/1000, /*allowed=*/1000);
  const std::vector<float> logits(1000, 0.0F);
  std::map<std::uint64_t, std::vector<TokenId>> texts;
  for (const std::uint64_t seed : {1ULL, 2ULL, 1ULL << 40}) {
    Sampler sampler(plain(), seed, mask);
    for (std::size_t position = 0; position < 50; ++position) {
      texts[seed].push_back(sampler.choose(logits, position, {})->token);
    }
  }
  EXPECT_NE(texts[1], texts[2]);
  EXPECT_NE(texts[1], texts[1ULL << 40]);
  // What was drawn before makes no difference.
  EXPECT_EQ(Sampler(plain(), 2, mask).choose(logits, 49, {})->token, texts[2][49]);
}

TEST(Sampler, ALogitThatIsNoNumberIsAnError) {
  TokenMask mask(/*vocabulary=*/4, /*allowed=*/3);
  for (const float bad : {kNaN, -kNaN, kInfinity}) {
    for (SamplingParams params : {plain(), SamplingParams{}}) {
      for (const float temperature : {0.0F, 1.0F}) {
        params.temperature = temperature;
        Sampler sampler(params, 0, mask);
        const auto choice = sampler.choose(std::vector{1.0F, bad, 2.0F, 0.0F}, 0, {});
        ASSERT_FALSE(choice);
        EXPECT_EQ(choice.error().kind, ErrorKind::kFailed);
        EXPECT_THAT(choice.error().message, HasSubstr("token 1"));
        EXPECT_TRUE(sampler.choose(std::vector{1.0F, 1.0F, 2.0F, bad}, 0, {})) << "row 3 stands for no token";
      }
    }
  }
  const auto choice = Sampler(SamplingParams{}, 0, mask).choose(std::vector<model::Candidate>{{2, kNaN}}, 0);
  EXPECT_FALSE(choice);
}

TEST(Sampler, NoTokenLeftIsAnError) {
  TokenMask mask(/*vocabulary=*/3, /*allowed=*/2);
  SamplingParams greedy = plain();
  greedy.temperature = 0.0F;
  for (SamplingParams params : {plain(), SamplingParams{}, greedy}) {
    params.logprobs = 3;
    const auto choice = Sampler(params, 0, mask).choose(std::vector{-kInfinity, -kInfinity, 1.0F}, 0, {});
    ASSERT_FALSE(choice);
    EXPECT_THAT(choice.error().message, HasSubstr("no token may follow"));
  }
  mask.forbid(0);
  mask.forbid(1);
  EXPECT_FALSE(Sampler(greedy, 0, mask).choose(std::vector{1.0F, 1.0F, 1.0F}, 0, {}));
}

TEST(Sampler, LogprobsAreTheModelsOwnWhateverTheParameters) {
  TokenMask mask(/*vocabulary=*/300, /*allowed=*/290);
  mask.forbid(7);
  std::vector<float> logits = random_logits(300, /*seed=*/8);
  logits[7] = 50.0F;
  logits[20] = logits[21] = 12.0F;  // a tie at the top
  SamplingParams params;
  params.temperature = 0.4F;
  params.repetition_penalty = 1.5F;
  params.logit_bias = {{3, 8.0F}};
  params.top_k = 3;
  params.logprobs = 5;
  TokenHistory history;
  history.add_answer(20);
  const std::vector<double> p = oracle(logits, plain(), mask, {}, {});
  Sampler sampler(params, 0, mask);
  ASSERT_EQ(sampler.candidates_needed(), std::nullopt);
  const auto choice = sampler.choose(logits, 0, history);
  ASSERT_TRUE(choice && choice->logprobs);
  EXPECT_EQ(choice->logprobs->chosen.token, choice->token);
  EXPECT_NEAR(choice->logprobs->chosen.logprob, std::log(p[static_cast<std::size_t>(choice->token)]), 1e-5);
  ASSERT_EQ(choice->logprobs->top.size(), 5U);
  EXPECT_EQ(choice->logprobs->top[0].token, 20);
  EXPECT_EQ(choice->logprobs->top[1].token, 21);
  std::vector<double> descending(p);
  std::ranges::sort(descending, std::greater{});
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(choice->logprobs->top[i].logprob, std::log(descending[i]), 1e-5);
  }
}

TEST(Sampler, LogprobsWithoutAlternatives) {
  const TokenMask mask(/*vocabulary=*/3, /*allowed=*/3);
  SamplingParams params = plain();
  params.logprobs = 0;
  const auto choice = Sampler(params, 0, mask).choose(std::vector{-kInfinity, 700.0F, -700.0F}, 0, {});
  EXPECT_EQ(choice->logprobs->chosen.logprob, 0.0F);
  EXPECT_TRUE(choice->logprobs->top.empty());
}

TEST(Sampler, AsksForCandidatesWhereTheyDecide) {
  TokenMask mask(/*vocabulary=*/2000, /*allowed=*/1990);
  mask.forbid(4);
  mask.forbid(4);
  mask.forbid(1995);  // forbidden already
  const auto needed = [&mask](auto change) {
    SamplingParams params;
    change(params);
    return Sampler(params, 0, mask).candidates_needed();
  };
  EXPECT_EQ(needed([](auto&) {}), 64U + 11U);
  EXPECT_EQ(needed([](auto& p) { p.temperature = 0.0F; }), 1U + 11U);
  EXPECT_EQ(needed([](auto& p) { p.top_k = 0; }), std::nullopt);
  EXPECT_EQ(needed([](auto& p) { p.top_k = 1025; }), std::nullopt);
  EXPECT_EQ(needed([](auto& p) { p.repetition_penalty = 1.1F; }), std::nullopt);
  EXPECT_EQ(needed([](auto& p) { p.presence_penalty = 0.1F; }), std::nullopt);
  EXPECT_EQ(needed([](auto& p) { p.frequency_penalty = 0.1F; }), std::nullopt);
  EXPECT_EQ(needed([](auto& p) { p.logit_bias = {{1, 1.0F}}; }), std::nullopt);
  EXPECT_EQ(needed([](auto& p) { p.logprobs = 0; }), std::nullopt);
}

TEST(TokenMask, ForbidsWhatItDoesNotCover) {
  TokenMask mask(/*vocabulary=*/10, /*allowed=*/8);
  EXPECT_TRUE(mask.allows(7));
  EXPECT_FALSE(mask.allows(8));
  EXPECT_FALSE(mask.allows(10));
  EXPECT_FALSE(mask.allows(-1));
  mask.forbid(0);
  mask.forbid(-5);
  mask.forbid(99);
  EXPECT_FALSE(mask.allows(0));
  EXPECT_EQ(mask.forbidden_count(), 3U);
}

}  // namespace
}  // namespace carat::engine
