#include "measure/perplexity.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cmath>
#include <limits>
#include <vector>

namespace carat::measure {
namespace {

constexpr std::size_t kVocabulary = 37;
constexpr TokenId kBos = 2;

// Logits that depend on everything fed so far, so that a wrong position, order or chunk border shows.
class HashingModel final : public SequenceModel {
 public:
  void reset() override { state_ = 1; }

  Result<std::span<const std::vector<float>>> append(std::span<const TokenId> tokens, std::size_t logit_rows,
                                                     const std::stop_token&) override {
    logits_.clear();
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      state_ = next_state(state_, tokens[i]);
      if (i + logit_rows >= tokens.size()) logits_.push_back(logits_of(state_));
      largest_batch_ = std::max(largest_batch_, tokens.size());
    }
    return std::span<const std::vector<float>>(logits_);
  }

  static std::uint64_t next_state(std::uint64_t state, TokenId token) {
    return (state * 6364136223846793005ULL + static_cast<std::uint64_t>(token) * 2862933555777941757ULL) ^
           (state >> 29);
  }
  static std::vector<float> logits_of(std::uint64_t state) {
    std::vector<float> logits(kVocabulary);
    for (std::size_t i = 0; i < kVocabulary; ++i) {
      const std::uint64_t mixed = (state ^ (i * 0x9E3779B97F4A7C15ULL)) * 0xBF58476D1CE4E5B9ULL;
      logits[i] = static_cast<float>(mixed >> 40) / 1e6F - 8.0F;
    }
    return logits;
  }

  std::size_t largest_batch() const { return largest_batch_; }

 private:
  std::uint64_t state_ = 1;
  std::size_t largest_batch_ = 0;
  std::vector<std::vector<float>> logits_;
};

std::vector<TokenId> some_tokens(std::size_t count) {
  std::vector<TokenId> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<TokenId>((i * i + 3 * i + 5) % kVocabulary);
  tokens[0] = kBos;
  return tokens;
}

// llama-perplexity's definition, one token at a time in long double.
PerplexityResult oracle(const std::vector<TokenId>& tokens, std::size_t context, std::size_t chunks) {
  std::vector<long double> nlls;
  for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
    std::uint64_t state = HashingModel::next_state(1, kBos);
    for (std::size_t i = 1; i < context; ++i) {
      const TokenId token = tokens[chunk * context + i];
      if (i > context / 2) {
        const std::vector<float> logits = HashingModel::logits_of(state);
        long double sum = 0;
        for (const float logit : logits) sum += std::exp(static_cast<long double>(logit));
        nlls.push_back(std::log(sum) - static_cast<long double>(logits[static_cast<std::size_t>(token)]));
      }
      state = HashingModel::next_state(state, token);
    }
  }
  const auto count = static_cast<long double>(nlls.size());
  long double mean = 0;
  for (const long double nll : nlls) mean += nll / count;
  long double variance = 0;
  for (const long double nll : nlls) variance += (nll - mean) * (nll - mean) / count;
  const long double perplexity = std::exp(mean);
  return {static_cast<double>(perplexity),
          static_cast<double>(perplexity * std::sqrt(variance / (count - 1))), context, chunks, nlls.size()};
}

TEST(Perplexity, AgreesWithTheDefinitionForAwkwardSizes) {
  for (const std::size_t context : {std::size_t{4}, std::size_t{5}, std::size_t{63}, std::size_t{130},
                                    std::size_t{257}, std::size_t{1500}}) {
    SCOPED_TRACE(context);
    const std::vector<TokenId> tokens = some_tokens(3 * context + context / 2);
    HashingModel model;
    const PerplexityResult result =
        score_tokens(model, tokens, kBos, {.context = context, .threads = 2}, {}, {}).value();
    const PerplexityResult expected = oracle(tokens, context, 3);
    EXPECT_EQ(result.chunks, 3U);
    EXPECT_EQ(result.scored, expected.scored);
    EXPECT_NEAR(result.perplexity / expected.perplexity, 1.0, 1e-12);
    EXPECT_NEAR(result.error / expected.error, 1.0, 1e-9);
    EXPECT_LE(model.largest_batch(), kPrefillTokens);
  }
}

TEST(Perplexity, ChunksOptionTakesTheFirstOnes) {
  const std::vector<TokenId> tokens = some_tokens(640);
  HashingModel model;
  std::vector<std::size_t> seen;
  const auto progress = [&seen](const PerplexityResult& so_far, std::size_t chunks) {
    seen.push_back(so_far.chunks);
    EXPECT_EQ(chunks, 2U);
  };
  const PerplexityResult result =
      score_tokens(model, tokens, kBos, {.context = 64, .chunks = 2}, progress, {}).value();
  EXPECT_NEAR(result.perplexity, oracle(tokens, 64, 2).perplexity, 1e-9);
  EXPECT_EQ(seen, (std::vector<std::size_t>{1, 2}));
}

TEST(Perplexity, RefusesShortTextsAndTinyContexts) {
  HashingModel model;
  const auto short_text = score_tokens(model, some_tokens(127), kBos, {.context = 64}, {}, {});
  ASSERT_FALSE(short_text.has_value());
  EXPECT_EQ(short_text.error().message, "the text has 127 tokens, but two chunks of 64 need at least 128");
  EXPECT_EQ(score_tokens(model, some_tokens(127), kBos, {.context = 3}, {}, {}).error().kind,
            ErrorKind::kUsage);
  EXPECT_EQ(score_tokens(model, some_tokens(9), kBos, {.context = SIZE_MAX}, {}, {}).error().kind,
            ErrorKind::kFailed);
}

TEST(Perplexity, StopsBetweenChunks) {
  HashingModel model;
  std::stop_source stop;
  const auto progress = [&stop](const PerplexityResult&, std::size_t) { stop.request_stop(); };
  EXPECT_EQ(
      score_tokens(model, some_tokens(640), kBos, {.context = 64}, progress, stop.get_token()).error().kind,
      ErrorKind::kInterrupted);
}

TEST(NegativeLogLikelihood, SurvivesLargeLogitsAndShowsBadOnes) {
  EXPECT_NEAR(negative_log_likelihood(std::vector<float>{1e4F, 1e4F}, 0), std::log(2.0), 1e-12);
  EXPECT_NEAR(negative_log_likelihood(std::vector<float>{-1e30F, 0.0F}, 0), 1e30, 1e24);
  EXPECT_FALSE(std::isfinite(
      negative_log_likelihood(std::vector<float>{0.0F, std::numeric_limits<float>::quiet_NaN()}, 0)));
  EXPECT_FALSE(std::isfinite(
      negative_log_likelihood(std::vector<float>{0.0F, std::numeric_limits<float>::infinity()}, 0)));
}

TEST(PerplexityJson, HasTheFieldThatScriptsLookFor) {
  const auto json = boost::json::parse(perplexity_json({16.5, 0.25, 512, 20, 5100}));
  EXPECT_DOUBLE_EQ(json.at("perplexity").to_number<double>(), 16.5);
  EXPECT_DOUBLE_EQ(json.at("error").to_number<double>(), 0.25);
  EXPECT_EQ(json.at("scored_tokens").as_int64(), 5100);
}

}  // namespace
}  // namespace carat::measure
