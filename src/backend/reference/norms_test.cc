#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "backend/reference/ops.h"

namespace carat::backend::reference {
namespace {

// One rounding to f32 of numbers that torch computed in f64.
constexpr float kOneRounding = 0x1p-24F;
void expect_rounded(std::span<const float> actual, std::span<const double> expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], std::abs(expected[i]) * kOneRounding) << i;
  }
}

constexpr std::array<float, 5> kX = {1, -2, 4, 0.5F, 3};
constexpr std::array<float, 5> kWeight = {1, 2, 0.5F, -1, 3};
// torch.nn.functional.rms_norm(kX, (5,), kWeight, 1e-6) in f64. The epsilons here are the nearest f32, which
// moves results by less than one part in 10^14.
constexpr std::array<double, 5> kRmsNormed = {0.40655778049105573, -1.626231121964223, 0.8131155609821115,
                                              -0.20327889024552787, 3.659020024419502};

TEST(ReferenceNorms, RmsNormGivesTorchsNumbers) {
  std::array<float, 5> out{};
  rms_norm({kX.data(), 1, 5}, kWeight, 1e-6F, {out.data(), 1, 5});
  expect_rounded(out, kRmsNormed);
}

TEST(ReferenceNorms, RmsNormInPlaceNormalizesEachRowAlone) {
  std::array<float, 10> x{};
  for (std::size_t c = 0; c < 5; ++c) {
    x[c] = kX[c];
    x[5 + c] = 1000.0F * kX[c];
  }
  rms_norm({x.data(), 2, 5}, kWeight, 1e-6F, {x.data(), 2, 5});
  for (std::size_t c = 0; c < 5; ++c) EXPECT_NEAR(x[5 + c], x[c], std::abs(x[c]) * 1e-6F);
}

TEST(ReferenceNorms, RmsNormOfZerosIsZeroThanksToEpsilon) {
  const std::array<float, 5> zeros{};
  std::array<float, 5> out = {1, 1, 1, 1, 1};
  rms_norm({zeros.data(), 1, 5}, kWeight, 1e-6F, {out.data(), 1, 5});
  EXPECT_EQ(out, zeros);
}

TEST(ReferenceNorms, AddRmsNormAddsTheNormedBranch) {
  std::array<float, 5> x = {10, 20, 30, 40, 50};
  add_rms_norm({kX.data(), 1, 5}, kWeight, 1e-6F, {x.data(), 1, 5});
  std::array<double, 5> expected{};
  for (std::size_t c = 0; c < 5; ++c) expected[c] = 10.0 * static_cast<double>(c + 1) + kRmsNormed[c];
  expect_rounded(x, expected);
}

TEST(ReferenceNorms, LayerNormGivesTorchsNumbers) {
  const std::array<float, 5> bias = {0.125F, 0, -1, 2, 0.25F};
  // torch.nn.functional.layer_norm(kX, (5,), kWeight, bias with 0.1 in front, 1e-6) in f64, 0.025 added to
  // the first.
  const std::array<double, 5> expected = {-0.04367392630680597 + 0.025, -3.1608263787497304,
                                          -0.35346733161937316, 2.3831304701514826, 2.692456747215701};
  std::array<float, 5> out{};
  layer_norm({kX.data(), 1, 5}, kWeight, bias, 1e-6F, {out.data(), 1, 5});
  expect_rounded(out, expected);
}

TEST(ReferenceNorms, LayerNormIgnoresAnOffsetOfTheRow) {
  std::array<float, 5> moved{};
  for (std::size_t c = 0; c < 5; ++c) moved[c] = kX[c] + 64.0F;
  const std::array<float, 5> bias{};
  std::array<float, 5> out{};
  std::array<float, 5> out_moved{};
  layer_norm({kX.data(), 1, 5}, kWeight, bias, 1e-6F, {out.data(), 1, 5});
  layer_norm({moved.data(), 1, 5}, kWeight, bias, 1e-6F, {out_moved.data(), 1, 5});
  for (std::size_t c = 0; c < 5; ++c) EXPECT_FLOAT_EQ(out[c], out_moved[c]);
}

TEST(ReferenceHeadNormRope, GivesNumpysComplexRotation) {
  // numpy: (n[:2] + 1j n[2:]) exp(1j angles) / 4 with n the RMS norm of (1, 2, 3, 4), angles 0.3 and 0.05.
  const std::array<double, 4> expected = {-0.07779236192893887, 0.1458463813678427, 0.40593307204645884,
                                          0.7385089194810222};
  const std::array<float, 4> weight = {0.5F, 1, 1.5F, 2};
  const std::array<float, 2> cos = {std::cos(0.3F), std::cos(0.05F)};
  const std::array<float, 2> sin = {std::sin(0.3F), std::sin(0.05F)};
  std::array<float, 4> x = {1, 2, 3, 4};
  head_norm_rope({x.data(), 1, 4}, weight, 1e-6F, {{cos.data(), 1, 2}, {sin.data(), 1, 2}}, 0.25F);
  for (std::size_t d = 0; d < 4; ++d) EXPECT_NEAR(x[d], expected[d], 2e-7) << d;  // cos and sin are f32
}

// Rotations keep lengths, and the same rotation of every row leaves their products alone: what makes scores
// depend on distances only. head_dim 72 is the vision tower's.
TEST(ReferenceHeadNormRope, RotatesEveryHeadAndKeepsItsLength) {
  constexpr std::size_t kTokens = 3;
  constexpr std::size_t kHeads = 2;
  constexpr std::size_t kHeadDim = 72;
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> x(kTokens * kHeads * kHeadDim);
  for (float& value : x) value = normal(random);
  std::vector<float> cos(kTokens * kHeadDim / 2);
  std::vector<float> sin(cos.size());
  for (std::size_t i = 0; i < cos.size(); ++i) {
    const float angle = normal(random);
    cos[i] = std::cos(angle);
    sin[i] = std::sin(angle);
  }
  const std::vector<float> weight(kHeadDim, 1.0F);
  const std::vector<float> before = x;
  head_norm_rope({x.data(), kTokens, kHeads * kHeadDim}, weight, 0.0F,
                 {{cos.data(), kTokens, kHeadDim / 2}, {sin.data(), kTokens, kHeadDim / 2}}, 0.5F);
  for (std::size_t first = 0; first < x.size(); first += kHeadDim) {
    double squares = 0;
    for (std::size_t d = 0; d < kHeadDim; ++d) squares += static_cast<double>(x[first + d]) * x[first + d];
    EXPECT_NEAR(squares, 0.25 * kHeadDim, 1e-5 * kHeadDim) << first;  // unit RMS times the multiplier
  }
  EXPECT_NE(x, before);
}

TEST(ReferenceHeadNormRope, QueryKeyProductsDependOnTheDistanceOnly) {
  constexpr std::size_t kHeadDim = 8;
  const std::vector<float> weight(kHeadDim, 1.0F);
  const auto at = [&](std::array<float, kHeadDim> x, double position) {
    std::array<float, kHeadDim / 2> cos{};
    std::array<float, kHeadDim / 2> sin{};
    for (std::size_t i = 0; i < kHeadDim / 2; ++i) {
      const double angle = position / std::pow(10.0, static_cast<double>(i));
      cos[i] = static_cast<float>(std::cos(angle));
      sin[i] = static_cast<float>(std::sin(angle));
    }
    head_norm_rope({x.data(), 1, kHeadDim}, weight, 1e-6F,
                   {{cos.data(), 1, kHeadDim / 2}, {sin.data(), 1, kHeadDim / 2}}, 1.0F);
    return x;
  };
  const std::array<float, kHeadDim> q = {1, -2, 3, 0.5F, -1, 2, 0.25F, 4};
  const std::array<float, kHeadDim> k = {0.5F, 1, -1, 2, 3, -2, 1, 0.125F};
  const auto product = [&](double query_position, double key_position) {
    const auto a = at(q, query_position);
    const auto b = at(k, key_position);
    double sum = 0;
    for (std::size_t d = 0; d < kHeadDim; ++d) sum += static_cast<double>(a[d]) * b[d];
    return sum;
  };
  EXPECT_NEAR(product(7, 3), product(104, 100), 1e-5);
  EXPECT_GT(std::abs(product(7, 3) - product(7, 4)), 1e-2);
}

}  // namespace
}  // namespace carat::backend::reference
