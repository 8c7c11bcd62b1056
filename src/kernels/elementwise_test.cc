// Norms, activations and sums of every level against f64 loops, and to the bit against the scalar level.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <vector>

#include "kernels/test_levels.h"
#include "tensor/test_matrix.h"

namespace carat::kernels {
namespace {

using tensor::all_within;
using tensor::bits_equal;
using tensor::Expected;
using tensor::GuardedMatrix;
using tensor::kRounding;
using tensor::random_matrix;

constexpr float kEpsilon = 1e-6F;
// exp is accurate to 2e-7, some three roundings.
constexpr double kExpError = 2e-7;

// Every tail of one to four vectors, and widths of real models.
std::vector<std::size_t> widths() {
  std::vector<std::size_t> all;
  for (std::size_t n = 1; n <= 67; ++n) all.push_back(n);
  all.insert(all.end(), {72, 256, 640, 1152, 4304});
  return all;
}

// Roundings on the way of one value into a sum of n: kernels add into 64 partial sums, then fold those in six
// additions; one more for the product or difference that is summed.
double sum_roundings(std::size_t n) { return static_cast<double>(n) / 64 + 8; }

// Relative error of 1 / sqrt(mean(x^2) + epsilon). Squares do not cancel, so the sum is off by its roundings,
// and the mean and epsilon add two; the root halves all that, and root and division add two.
double inverse_rms_error(std::size_t n) { return ((sum_roundings(n) + 2) / 2 + 2) * kRounding; }

double inverse_rms(std::span<const float> x) {
  double squares = 0.0;
  for (const float value : x) squares += static_cast<double>(value) * value;
  return 1.0 / std::sqrt(squares / static_cast<double>(x.size()) + static_cast<double>(kEpsilon));
}

// 0.5 g (1 + tanh u) = g / (1 + e^(-2u)); the second form does not cancel for negative g.
double gelu_tanh(double g) {
  return g / (1.0 + std::exp(-2.0 * std::sqrt(2.0 / std::numbers::pi) * (g + 0.044715 * g * g * g)));
}

// The kernel computes g / (1 + e^a) with a = -2 sqrt(2 / pi) (g + 0.044715 g^3). Both terms of a have one
// sign, so a is off by six roundings of itself, which e^a turns into a relative error of as much; the
// quotient sees at most that, and adds two. e^a stops at e^88 = 1.7e38, where the true quotient goes on to 0.
Expected expected_gelu(float g) {
  const double argument =
      2.0 * std::sqrt(2.0 / std::numbers::pi) * (std::fabs(g) + 0.044715 * std::pow(std::fabs(g), 3));
  const double relative = kExpError + (6 * std::min(argument, 90.0) + 2) * kRounding;
  return {gelu_tanh(g), std::fabs(gelu_tanh(g)) * relative + std::fabs(g) * 1e-38};
}

class ElementwiseTest : public LevelTest {
 protected:
  // run(kernels, data [n]) on copies of x, by this level and by the scalar one: both must agree to the bit
  // and with the oracle, and write nothing else.
  template <class Run>
  void check(const GuardedMatrix& x, std::span<const Expected> expected, Run run) {
    GuardedMatrix actual = x;
    run(kernels(), actual.data());
    EXPECT_TRUE(all_within(actual.view(), expected));
    EXPECT_TRUE(actual.guards_intact());
    GuardedMatrix scalar = x;
    run(scalar_kernels(), scalar.data());
    EXPECT_TRUE(bits_equal(actual.view(), scalar.view()));
  }
};

TEST_P(ElementwiseTest, RmsNormAgreesWithF64AtEveryTailLength) {
  for (const std::size_t n : widths()) {
    SCOPED_TRACE(n);
    const GuardedMatrix x = random_matrix(1, n, n);
    const GuardedMatrix weight = random_matrix(1, n, n + 1);
    std::vector<Expected> expected;
    const double scale = inverse_rms(x.row(0));
    for (std::size_t i = 0; i < n; ++i) {
      const double value = x.row(0)[i] * scale * weight.row(0)[i];
      expected.push_back({value, std::fabs(value) * (inverse_rms_error(n) + 2 * kRounding)});  // two products
    }
    check(x, expected,
          [&](const Kernels& k, float* data) { k.rms_norm(data, weight.data(), kEpsilon, n, data); });
    check(GuardedMatrix(1, n), expected,
          [&](const Kernels& k, float* data) { k.rms_norm(x.data(), weight.data(), kEpsilon, n, data); });
  }
}

TEST_P(ElementwiseTest, RmsNormOfZerosAndOfTinyAndHugeValues) {
  const std::size_t n = 40;
  GuardedMatrix ones(1, n);
  std::ranges::fill(ones.row(0), 1.0F);
  for (const float value : {0.0F, 1e-30F, 1e-4F, 1e15F}) {  // 1e15^2 * 40 is still an f32
    SCOPED_TRACE(value);
    GuardedMatrix x(1, n);
    std::ranges::fill(x.row(0), value);
    const double normed =
        value / std::sqrt(static_cast<double>(value) * value + static_cast<double>(kEpsilon));
    const std::vector<Expected> expected(n, {normed, normed * (inverse_rms_error(n) + 2 * kRounding)});
    check(x, expected,
          [&](const Kernels& k, float* data) { k.rms_norm(data, ones.data(), kEpsilon, n, data); });
  }
}

TEST_P(ElementwiseTest, AddRmsNormAgreesWithF64AtEveryTailLength) {
  for (const std::size_t n : widths()) {
    SCOPED_TRACE(n);
    const GuardedMatrix x = random_matrix(1, n, n);
    const GuardedMatrix branch = random_matrix(1, n, n + 1, 100.0F);
    const GuardedMatrix weight = random_matrix(1, n, n + 2);
    std::vector<Expected> expected;
    const double scale = inverse_rms(branch.row(0));
    for (std::size_t i = 0; i < n; ++i) {
      const double normed = branch.row(0)[i] * scale * weight.row(0)[i];
      const double value = x.row(0)[i] + normed;
      expected.push_back({value, std::fabs(normed) * (inverse_rms_error(n) + 2 * kRounding) +
                                     (std::fabs(value) + 1e-7 * std::fabs(normed)) * kRounding});
    }
    check(x, expected, [&](const Kernels& k, float* data) {
      k.add_rms_norm(branch.data(), weight.data(), kEpsilon, n, data);
    });
  }
}

TEST_P(ElementwiseTest, LayerNormAgreesWithF64AtEveryTailLength) {
  for (const std::size_t n : widths()) {
    SCOPED_TRACE(n);
    GuardedMatrix x = random_matrix(1, n, n);
    for (float& value : x.row(0)) value += 3.0F;  // a mean that must be taken out
    const GuardedMatrix weight = random_matrix(1, n, n + 1);
    const GuardedMatrix bias = random_matrix(1, n, n + 2);
    const auto count = static_cast<double>(n);
    double mean = 0.0;
    double magnitude = 0.0;
    for (const float value : x.row(0)) {
      mean += value / count;
      magnitude += std::fabs(value) / count;
    }
    double variance = 0.0;
    for (const float value : x.row(0)) variance += (value - mean) * (value - mean) / count;
    const double scale = 1.0 / std::sqrt(variance + static_cast<double>(kEpsilon));
    // The mean is off by the roundings of its sum. That shifts every difference, and adds its square to the
    // variance.
    const double shift = (sum_roundings(n) + 1) * kRounding * magnitude * scale;
    std::vector<Expected> expected;
    for (std::size_t i = 0; i < n; ++i) {
      const double normed = (x.row(0)[i] - mean) * scale;
      const double value = normed * weight.row(0)[i] + bias.row(0)[i];
      const double normed_error =
          shift + (std::fabs(normed) + shift) * (inverse_rms_error(n) + 3 * kRounding + shift * shift);
      expected.push_back(
          {value, std::fabs(weight.row(0)[i]) * normed_error + std::fabs(value) * 2 * kRounding});
    }
    const auto run = [&](const Kernels& k, const float* from, float* to) {
      k.layer_norm(from, weight.data(), bias.data(), kEpsilon, n, to);
    };
    check(x, expected, [&](const Kernels& k, float* data) { run(k, data, data); });
    check(GuardedMatrix(1, n), expected, [&](const Kernels& k, float* data) { run(k, x.data(), data); });
  }
}

TEST_P(ElementwiseTest, HeadNormRopeAgreesWithF64AtEveryTailLength) {
  for (std::size_t half = 1; half <= 128; half += half < 36 ? 1 : 92) {  // head_dim 2 .. 72, and 256
    const std::size_t n = 2 * half;
    SCOPED_TRACE(n);
    const GuardedMatrix x = random_matrix(1, n, n);
    const GuardedMatrix weight = random_matrix(1, n, n + 1);
    const GuardedMatrix angles = random_matrix(1, half, n + 2);
    GuardedMatrix cos(1, half);
    GuardedMatrix sin(1, half);
    for (std::size_t i = 0; i < half; ++i) {
      cos.row(0)[i] = std::cos(angles.row(0)[i]);
      sin.row(0)[i] = std::sin(angles.row(0)[i]);
    }
    constexpr float kMultiplier = 0.0771517F;
    const double scale = inverse_rms(x.row(0));
    std::vector<Expected> expected(n);
    for (std::size_t i = 0; i < half; ++i) {
      const double first = x.row(0)[i] * scale * weight.row(0)[i];
      const double second = x.row(0)[half + i] * scale * weight.row(0)[half + i];
      const double c = cos.row(0)[i];
      const double s = sin.row(0)[i];
      // The norm's error and its two products, then the product, the sum and the multiplier.
      const double relative = inverse_rms_error(n) + 5 * kRounding;
      expected[i] = {(first * c - second * s) * kMultiplier,
                     (std::fabs(first * c) + std::fabs(second * s)) * kMultiplier * relative};
      expected[half + i] = {(second * c + first * s) * kMultiplier,
                            (std::fabs(second * c) + std::fabs(first * s)) * kMultiplier * relative};
    }
    check(x, expected, [&](const Kernels& k, float* data) {
      k.head_norm_rope(data, weight.data(), kEpsilon, n, cos.data(), sin.data(), kMultiplier);
    });
  }
}

TEST_P(ElementwiseTest, GeluAndGegluAgreeWithF64AtEveryTailLength) {
  for (const std::size_t n : widths()) {
    SCOPED_TRACE(n);
    const GuardedMatrix gate = random_matrix(1, n, n, 3.0F);
    const GuardedMatrix up = random_matrix(1, n, n + 1);
    std::vector<Expected> gelu;
    std::vector<Expected> geglu;
    for (std::size_t i = 0; i < n; ++i) {
      const Expected one = expected_gelu(gate.row(0)[i]);
      const double factor = up.row(0)[i];
      gelu.push_back(one);
      geglu.push_back(
          {one.value * factor, (one.error + std::fabs(one.value) * kRounding) * std::fabs(factor)});
    }
    check(gate, gelu, [&](const Kernels& k, float* data) { k.gelu(data, n); });
    check(gate, geglu, [&](const Kernels& k, float* data) { k.geglu(data, up.data(), n); });
  }
}

// From where GELU is 0 to where it is the identity, in steps that no vector width divides. On the way the
// kernel takes exp of everything from 88 down to -87.
TEST_P(ElementwiseTest, GeluOnADenseGridAndFarOutside) {
  std::vector<float> points = {-1e30F, -1e10F, -100.0F, -0.0F, 0.0F, 1e-40F, 1e-30F, 100.0F, 1e10F, 1e30F};
  for (float g = -12.0F; g <= 12.0F; g += 0.0013F) points.push_back(g);
  GuardedMatrix x(1, points.size());
  std::ranges::copy(points, x.row(0).begin());
  std::vector<Expected> expected;
  for (const float g : points) expected.push_back(expected_gelu(g));
  check(x, expected, [&](const Kernels& k, float* data) { k.gelu(data, points.size()); });
}

TEST_P(ElementwiseTest, SumsAreCorrectlyRoundedAtEveryTailLength) {
  for (const std::size_t n : widths()) {
    SCOPED_TRACE(n);
    const GuardedMatrix x = random_matrix(1, n, n);
    const GuardedMatrix y = random_matrix(1, n, n + 1, 1e5F);
    constexpr float kFactor = -0.3F;
    std::vector<Expected> sum;
    std::vector<Expected> scaled_sum;
    for (std::size_t i = 0; i < n; ++i) {
      const double a = x.row(0)[i];
      const double b = y.row(0)[i];
      sum.push_back({a + b, std::fabs(a + b) * kRounding});
      scaled_sum.push_back({a + kFactor * b, std::fabs(a + kFactor * b) * kRounding});  // fused: rounded once
    }
    check(x, sum, [&](const Kernels& k, float* data) { k.add(data, y.data(), n); });
    check(x, scaled_sum, [&](const Kernels& k, float* data) { k.add_scaled(data, y.data(), kFactor, n); });
  }
}

// Broken weights or overflow must stay visible, not turn into plausible numbers.
TEST_P(ElementwiseTest, NanStaysNan) {
  const std::size_t n = 35;
  for (const std::size_t at : {std::size_t{0}, std::size_t{17}, n - 1}) {
    GuardedMatrix x = random_matrix(1, n, at);
    const GuardedMatrix ones = random_matrix(1, n, 9);
    x.row(0)[at] = std::numeric_limits<float>::quiet_NaN();
    GuardedMatrix normed(1, n);
    kernels().rms_norm(x.data(), ones.data(), kEpsilon, n, normed.data());
    EXPECT_TRUE(std::ranges::all_of(normed.row(0), [](float v) { return std::isnan(v); }));
    kernels().gelu(x.data(), n);
    for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(std::isnan(x.row(0)[i]), i == at);
  }
}

CARAT_TEST_ALL_LEVELS(ElementwiseTest);

}  // namespace
}  // namespace carat::kernels
