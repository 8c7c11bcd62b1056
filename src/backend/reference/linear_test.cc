#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "backend/reference/ops.h"

namespace carat::backend::reference {
namespace {

TEST(ReferenceLinear, MultipliesByTheTransposeAndAddsTheBias) {
  const std::array<float, 6> x = {1, 2, 3, -1, 0, 4};                            // [2, 3]
  const std::array<float, 12> w = {1, 0, 0, 0, 1, -1, 2, 2, 2, 0.5F, 0, 0.25F};  // [4, 3]
  const std::array<float, 4> bias = {10, 0, -1, 0.5F};
  std::array<float, 8> out{};
  linear({x.data(), 2, 3}, {w.data(), 4, 3}, bias, {out.data(), 2, 4});
  EXPECT_EQ(out, (std::array<float, 8>{11, -1, 11, 1.75F, 9, -4, 5, 1}));
  linear({x.data(), 2, 3}, {w.data(), 4, 3}, {}, {out.data(), 2, 4});
  EXPECT_EQ(out, (std::array<float, 8>{1, -1, 12, 1.25F, -1, -4, 6, 0.5F}));
}

TEST(ReferenceLinear, SumsInF64) {
  // In f32, 2^24 + 1 - 2^24 is 0.
  const std::array<float, 3> x = {0x1p24F, 1, -0x1p24F};
  const std::array<float, 3> ones = {1, 1, 1};
  float out = 0;
  linear({x.data(), 1, 3}, {ones.data(), 1, 3}, {}, {&out, 1, 1});
  EXPECT_EQ(out, 1.0F);
}

TEST(ReferenceLinear, AddsTheLowRankProduct) {
  const std::array<float, 2> x = {3, 5};
  const std::array<float, 6> w = {0, 0, 1, 0, 0, 1};   // [3, 2]
  const std::array<float, 4> down = {1, 1, 1, -1};     // [2, 2]: (8, -2)
  const std::array<float, 6> up = {1, 0, 0, 1, 1, 2};  // [3, 2]: (8, -2, 4)
  const std::array<float, 3> bias = {100, 0, 0};
  std::array<float, 3> out{};
  linear({x.data(), 1, 2}, {w.data(), 3, 2}, bias, {out.data(), 1, 3});
  add_low_rank({x.data(), 1, 2}, {down.data(), 2, 2}, {up.data(), 3, 2}, 0.5F, {out.data(), 1, 3});
  EXPECT_EQ(out, (std::array<float, 3>{104, 2, 7}));
}

TEST(ReferenceLinear, TakesTheVisionTowersRowLength) {
  constexpr std::size_t kColumns = 4304;
  std::vector<float> x(kColumns);
  std::vector<float> w(kColumns);
  for (std::size_t c = 0; c < kColumns; ++c) {
    x[c] = static_cast<float>(c);
    w[c] = c % 2 == 0 ? 1.0F : -1.0F;
  }
  float out = 0;
  linear({x.data(), 1, kColumns}, {w.data(), 1, kColumns}, {}, {&out, 1, 1});
  EXPECT_EQ(out, -2152.0F);  // kColumns / 2 pairs of c - (c + 1)
}

TEST(ReferenceLinear, HonoursStrides) {
  const std::array<float, 6> x = {1, 2, -9, 3, 4, -9};
  const std::array<float, 4> w = {1, 1, 7, 7};
  std::array<float, 4> out = {-1, -1, -1, -1};
  linear({x.data(), 2, 2, 3}, {w.data(), 1, 2, 4}, {}, {out.data(), 2, 1, 2});
  EXPECT_EQ(out, (std::array<float, 4>{3, -1, 7, -1}));
}

TEST(ReferenceEmbed, ScalesRowsOfTheTable) {
  const std::array<float, 6> table = {1, 2, 3, 4, 5, 6};
  const std::array<std::int32_t, 3> ids = {2, 0, 2};
  std::array<float, 6> out{};
  embed({table.data(), 3, 2}, ids, 1.5F, {out.data(), 3, 2});
  EXPECT_EQ(out, (std::array<float, 6>{7.5F, 9, 1.5F, 3, 7.5F, 9}));
}

TEST(ReferenceEmbedDeathTest, RefusesAnIdBeyondTheTable) {
  const std::array<float, 2> table = {1, 2};
  const std::array<std::int32_t, 1> ids = {2};
  float out = 0;
  EXPECT_DEATH(embed({table.data(), 2, 1}, ids, 1.0F, {&out, 1, 1}), "ids\\[t\\]");
}

}  // namespace
}  // namespace carat::backend::reference
