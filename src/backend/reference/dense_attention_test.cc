#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "backend/reference/ops.h"

namespace carat::backend::reference {
namespace {

TEST(ReferenceDenseAttention, WeighsValuesByTheSoftmaxOfTheScores) {
  // Two heads of one dimension. Head 0: scores of row 0 are 0 and ln 3, of row 1 are 0 and 0. Head 1: ln 2, 0
  // and 0, 0.
  const std::array<float, 4> q = {std::log(3.0F), std::log(2.0F), 0, 0};
  const std::array<float, 4> k = {0, 1, 1, 0};
  const std::array<float, 4> v = {4, 30, 8, 60};
  std::array<float, 4> out{};
  dense_attention({q.data(), 2, 2}, {k.data(), 2, 2}, {v.data(), 2, 2}, 2, {out.data(), 2, 2});
  EXPECT_FLOAT_EQ(out[0], 7.0F);
  EXPECT_FLOAT_EQ(out[1], 40.0F);
  EXPECT_FLOAT_EQ(out[2], 6.0F);
  EXPECT_FLOAT_EQ(out[3], 45.0F);
}

TEST(ReferenceDenseAttention, LargeScoresDoNotOverflow) {
  const std::array<float, 2> q = {2000, -2000};
  const std::array<float, 2> k = {1, -1};
  const std::array<float, 2> v = {5, 7};
  std::array<float, 2> out{};
  dense_attention({q.data(), 2, 1}, {k.data(), 2, 1}, {v.data(), 2, 1}, 1, {out.data(), 2, 1});
  EXPECT_FLOAT_EQ(out[0], 5.0F);
  EXPECT_FLOAT_EQ(out[1], 7.0F);
}

}  // namespace
}  // namespace carat::backend::reference
