#include "base/counter_rng.h"

#include <gmock/gmock.h>

#include <set>
#include <vector>

namespace carat {
namespace {

using testing::ElementsAre;

// The known answers that the paper's authors publish with Random123 (kat_vectors, "philox4x32 10").
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_THAT(philox4x32({0, 0, 0, 0}, {0, 0}), ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(philox4x32({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(UniformDraw, ComesFromTheFirstTwoWordsOfTheBlock) {
  EXPECT_EQ(uniform_draw(0, 0), static_cast<double>(0xe169c58d6627e8d5U >> 11) / 9007199254740992.0);
}

TEST(UniformDraw, DependsOnEveryBitOfSeedAndIndex) {
  std::set<double> draws = {uniform_draw(0, 0)};
  for (int bit = 0; bit < 64; ++bit) {
    EXPECT_TRUE(draws.insert(uniform_draw(std::uint64_t{1} << bit, 0)).second) << "seed bit " << bit;
    EXPECT_TRUE(draws.insert(uniform_draw(0, std::uint64_t{1} << bit)).second) << "index bit " << bit;
  }
}

TEST(UniformDraw, IsUniform) {
  constexpr int kBins = 64;
  constexpr int kDraws = 64'000;
  std::vector<int> counts(kBins);
  for (int i = 0; i < kDraws; ++i) {
    const double u = uniform_draw(/*seed=*/20251, static_cast<std::uint64_t>(i));
    ASSERT_TRUE(u >= 0.0 && u < 1.0);
    ++counts[static_cast<std::size_t>(u * kBins)];
  }
  double chi_square = 0;
  constexpr double kExpected = static_cast<double>(kDraws) / kBins;
  for (const int count : counts) chi_square += (count - kExpected) * (count - kExpected) / kExpected;
  EXPECT_LT(chi_square, 103.4);  // 63 degrees of freedom, p = 0.001
}

}  // namespace
}  // namespace carat
