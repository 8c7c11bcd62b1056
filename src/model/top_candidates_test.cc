#include "model/top_candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace carat::model {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// All numbers sorted by logit, equal ones in order of id, cut to `count`.
std::vector<Candidate> by_sorting(std::span<const float> logits, std::size_t count) {
  std::vector<Candidate> all;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (!std::isnan(logits[id])) all.push_back({static_cast<std::int32_t>(id), logits[id]});
  }
  std::ranges::sort(all, [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  });
  all.resize(std::min(all.size(), count));
  return all;
}

void expect_sorted_selection(std::span<const float> logits, std::size_t count) {
  const auto actual = top_candidates(logits, count);
  const auto expected = by_sorting(logits, count);
  ASSERT_EQ(actual.size(), expected.size()) << count;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_EQ(actual[i].token, expected[i].token) << i << " of " << count;
    EXPECT_EQ(actual[i].logit, expected[i].logit) << i << " of " << count;
  }
}

TEST(TopCandidates, EqualsSortingForEveryCount) {
  std::mt19937 random(1);
  for (const std::size_t size : {1, 2, 3, 17, 64, 200}) {
    for (const int distinct : {1, 2, 5, 1'000'000}) {  // few distinct values: many ties
      std::vector<float> logits(size);
      for (float& logit : logits)
        logit = static_cast<float>(std::uniform_int_distribution<int>(-distinct, distinct)(random));
      for (std::size_t count = 0; count <= size + 3; ++count) expect_sorted_selection(logits, count);
    }
  }
}

TEST(TopCandidates, TiesGoToTheLowerId) {
  const std::vector<float> logits = {1, 3, 3, 3, 2, 3};
  const auto best = top_candidates(logits, 3);
  ASSERT_EQ(best.size(), 3u);
  EXPECT_EQ(best[0].token, 1);
  EXPECT_EQ(best[1].token, 2);
  EXPECT_EQ(best[2].token, 3);
}

TEST(TopCandidates, OnlyAllowedTokensAreLookedAt) {
  std::vector<float> logits(70, kNan);
  for (const std::size_t id : {0, 31, 32, 69}) logits[id] = static_cast<float>(id);
  // Token 1 of the first word has no number; bits beyond the logits mean nothing.
  const std::vector<std::uint32_t> words = {(1U << 31) | 2U, 1U, 0xFFFFFFE0U};
  const auto best = top_candidates(logits, 9, TokenSet(words));
  ASSERT_EQ(best.size(), 3u);
  EXPECT_EQ(best[0].token, 69);
  EXPECT_EQ(best[1].token, 32);
  EXPECT_EQ(best[2].token, 31);
}

TEST(TopCandidates, ZerosOfEitherSignTie) {
  const std::vector<float> logits = {-0.0F, 0.0F, -0.0F};
  const auto best = top_candidates(logits, 2);
  ASSERT_EQ(best.size(), 2u);
  EXPECT_EQ(best[0].token, 0);
  EXPECT_EQ(best[1].token, 1);
}

TEST(TopCandidates, NanIsNeverAmongThemAndInfinitiesAre) {
  const std::vector<float> logits = {kNan, -kInfinity, 2, kNan, kInfinity, -1, kNan};
  for (std::size_t count = 0; count <= 8; ++count) expect_sorted_selection(logits, count);
  EXPECT_EQ(top_candidates(logits, 10).size(), 4u);
  EXPECT_TRUE(top_candidates(std::vector<float>(5, kNan), 3).empty());
  EXPECT_TRUE(top_candidates({}, 3).empty());
}

}  // namespace
}  // namespace carat::model
