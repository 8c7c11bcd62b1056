// Scales of quantized weights: what each level chooses, against plain f64 loops over the same candidates, and
// to the bit against the scalar level.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "kernels/test_levels.h"
#include "tensor/half.h"
#include "tensor/test_matrix.h"

namespace carat::kernels {
namespace {

using tensor::GuardedMatrix;
using tensor::random_matrix;

class EncodeKernelTest : public LevelTest {
 protected:
  const EncodeKernels& ours() const { return kernels().encode; }
  static const EncodeKernels& scalar() { return scalar_kernels().encode; }
};

// Sixteen parts of `count` values, and the way to one of them.
struct Parts {
  std::size_t count;
  std::vector<float> x;
  std::vector<float> importance;  // empty: all alike

  SideBySide view() const { return {x.data(), importance.empty() ? nullptr : importance.data(), count}; }
  double value(std::size_t part, std::size_t i) const { return x[kParts * i + part]; }
  double weight(std::size_t part, std::size_t i) const {
    return importance.empty() ? 1.0 : importance[kParts * i + part];
  }
};

// Normal values whose parts differ in size and offset; part 3 is zero, part 5 has one value, part 7 is
// constant.
Parts random_parts(std::size_t count, unsigned seed, bool weighted) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> weight(0.01F, 3.0F);
  Parts parts{count, std::vector<float>(count * kParts), {}};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t part = 0; part < kParts; ++part) {
      const float size = std::exp2(static_cast<float>(part) - 8.0F);
      float value = size * (normal(random) + (part % 4 == 2 ? 1.5F : 0.0F));
      if (part == 3 || (part == 5 && i > 0)) value = 0.0F;
      if (part == 7) value = 0.25F;
      parts.x[kParts * i + part] = value;
    }
  }
  if (weighted) {
    parts.importance.resize(count * kParts);
    std::ranges::generate(parts.importance, [&] { return weight(random); });
  }
  return parts;
}

int code_of(double x, double scale, double min, CodeRange range) {
  const double code = scale == 0.0 ? 0.0 : (x - min) / scale;
  return static_cast<int>(std::nearbyint(std::clamp<double>(code, range.low, range.high)));
}

double error_of(const Parts& parts, std::size_t part, double scale, double min, CodeRange range) {
  double total = 0.0;
  for (std::size_t i = 0; i < parts.count; ++i) {
    const double x = parts.value(part, i);
    const double off = scale * code_of(x, scale, min, range) + min - x;
    total += parts.weight(part, i) * off * off;
  }
  return total;
}

double largest_of(const Parts& parts, std::size_t part) {
  double most = 0.0;
  for (std::size_t i = 0; i < parts.count; ++i) {
    if (std::fabs(parts.value(part, i)) > std::fabs(most)) most = parts.value(part, i);
  }
  return most;
}

double squares_of(const Parts& parts, std::size_t part) {
  double squares = 0.0;
  for (std::size_t i = 0; i < parts.count; ++i) {
    squares += parts.weight(part, i) * parts.value(part, i) * parts.value(part, i);
  }
  return squares;
}

// Whether rounding to f32 may decide for either of two codes: the largest value itself can lie halfway.
bool is_tie(double code) { return std::fabs(std::fabs(code - std::trunc(code)) - 0.5) < 1e-5; }

// The least error that least squares reaches from the codes of any candidate without a tie, in f64.
double best_error(const Parts& parts, std::size_t part, CodeRange range, double widest) {
  const bool even = range.low == -range.high;
  const double most = even ? std::fabs(largest_of(parts, part)) : largest_of(parts, part);
  double best = squares_of(parts, part);
  if (most == 0.0) return best;
  for (int step = 0; step < 7; ++step) {
    for (const int end : {range.low, range.high}) {
      if (even && end == range.low) continue;
      const double scale = most / ((0.9 + (widest - 0.9) * step / 6.0) * end);
      double code_value = 0.0;
      double code_code = 0.0;
      bool tie = false;
      for (std::size_t i = 0; i < parts.count; ++i) {
        tie = tie || is_tie(parts.value(part, i) / scale);
        const double code = code_of(parts.value(part, i), scale, 0.0, range);
        code_value += parts.weight(part, i) * code * parts.value(part, i);
        code_code += parts.weight(part, i) * code * code;
      }
      if (code_code > 0.0 && !tie)
        best = std::min(best, squares_of(parts, part) - code_value * code_value / code_code);
    }
  }
  return best;
}

bool same_bits(const PartScales& a, const PartScales& b) {
  return std::memcmp(a.scale, b.scale, sizeof a.scale) == 0 && std::memcmp(a.min, b.min, sizeof a.min) == 0;
}

constexpr std::array<std::size_t, 7> kCounts = {1, 2, 3, 16, 32, 67, 1152};

struct SymmetricCase {
  CodeRange range;
  float widest;
};
constexpr std::array<SymmetricCase, 5> kSymmetric = {
    {{{-8, 7}, 1.25F}, {{-16, 15}, 1.15F}, {{-127, 127}, 1.0F}, {{-7, 7}, 2.2F}, {{-32, 31}, 1.1F}}};

// The chosen scale, with whichever codes are nearest, is as good as the best candidate of the f64 search, but
// for f32 sums: a difference of squares, so an absolute share of the values' own squares.
TEST_P(EncodeKernelTest, ScalesAreTheBestOfTheCandidates) {
  for (const auto& [range, widest] : kSymmetric) {
    for (const std::size_t count : kCounts) {
      for (const bool weighted : {false, true}) {
        SCOPED_TRACE(testing::Message()
                     << range.low << ".." << range.high << ", " << count << ", " << weighted);
        const Parts parts = random_parts(count, static_cast<unsigned>(count), weighted);
        PartScales plain;
        PartScales fitted;
        ours().fit_scales(parts.view(), range, widest, plain, fitted);
        const double slack = 1e-7 * std::sqrt(static_cast<double>(count)) * 8;
        for (std::size_t part = 0; part < kParts; ++part) {
          const double most = largest_of(parts, part);
          const double expected = range.low == -range.high ? std::fabs(most) / range.high : most / range.low;
          EXPECT_NEAR(plain.scale[part], expected, std::fabs(expected) * 1e-7) << part;
          EXPECT_LE(error_of(parts, part, fitted.scale[part], 0.0, range),
                    best_error(parts, part, range, widest) + slack * squares_of(parts, part))
              << part;
          EXPECT_EQ(plain.min[part], 0.0F);
          EXPECT_EQ(fitted.min[part], 0.0F);
        }
        PartScales scalar_plain;
        PartScales scalar_fitted;
        scalar().fit_scales(parts.view(), range, widest, scalar_plain, scalar_fitted);
        EXPECT_TRUE(same_bits(plain, scalar_plain) && same_bits(fitted, scalar_fitted));
      }
    }
  }
}

// Least squares of scale and min for the codes of one candidate, in f64; its error.
double fit_error(const Parts& parts, std::size_t part, double inverse, double least, int high) {
  double w = 0, wx = 0, wq = 0, wqx = 0, wqq = 0;
  std::vector<double> codes(parts.count);
  bool tie = false;
  for (std::size_t i = 0; i < parts.count; ++i) {
    const double weight = parts.weight(part, i);
    const double x = parts.value(part, i);
    tie = tie || is_tie((x - least) * inverse);
    const double code = std::nearbyint(std::clamp<double>((x - least) * inverse, 0.0, high));
    codes[i] = code;
    w += weight, wx += weight * x, wq += weight * code, wqx += weight * code * x, wqq += weight * code * code;
  }
  const double determinant = w * wqq - wq * wq;
  if (tie || determinant <= 1e-6 * w * wqq) return HUGE_VAL;
  double scale = (w * wqx - wx * wq) / determinant;
  double min = (wqq * wx - wq * wqx) / determinant;
  if (min > 0.0) scale = wqx / wqq, min = 0.0;
  double error = 0.0;
  for (std::size_t i = 0; i < parts.count; ++i) {
    error += parts.weight(part, i) * std::pow(scale * codes[i] + min - parts.value(part, i), 2);
  }
  return error;
}

TEST_P(EncodeKernelTest, ScalesAndMinsAreTheBestOfTheCandidates) {
  constexpr int kHigh = 15;
  for (const std::size_t count : kCounts) {
    for (const bool weighted : {false, true}) {
      SCOPED_TRACE(testing::Message() << count << ", " << weighted);
      const Parts parts = random_parts(count, static_cast<unsigned>(count) + 99, weighted);
      PartScales plain;
      PartScales fitted;
      ours().fit_scales_and_mins(parts.view(), kHigh, plain, fitted);
      for (std::size_t part = 0; part < kParts; ++part) {
        double least = 0.0;
        double most = 0.0;
        for (std::size_t i = 0; i < count; ++i) {
          least = std::min(least, parts.value(part, i));
          most = std::max(most, parts.value(part, i));
        }
        const double scale = (most - least) / kHigh;
        EXPECT_NEAR(plain.scale[part], scale, scale * 2e-7);
        EXPECT_EQ(plain.min[part], static_cast<float>(least));
        EXPECT_LE(fitted.min[part], 0.0F);
        double best = error_of(parts, part, plain.scale[part], plain.min[part], {0, kHigh});
        for (int step = 0; step < 8 && scale > 0.0; ++step) {
          best = std::min(best,
                          fit_error(parts, part, (14.0 + 2.0 * step / 7.0) / (15.0 * scale), least, kHigh));
        }
        // Six f32 sums whose differences cancel: more slack than for the scales alone.
        const double slack = 1e-6 * std::sqrt(static_cast<double>(count)) * 8;
        EXPECT_LE(error_of(parts, part, fitted.scale[part], fitted.min[part], {0, kHigh}),
                  best + slack * squares_of(parts, part))
            << part;
      }
      PartScales scalar_plain;
      PartScales scalar_fitted;
      scalar().fit_scales_and_mins(parts.view(), kHigh, scalar_plain, scalar_fitted);
      EXPECT_TRUE(same_bits(plain, scalar_plain) && same_bits(fitted, scalar_fitted));
    }
  }
}

TEST_P(EncodeKernelTest, CodesAreTheNearestAndErrorsTheirs) {
  for (const auto& [range, widest] : kSymmetric) {
    for (const std::size_t count : kCounts) {
      const Parts parts = random_parts(count, static_cast<unsigned>(count) + 7, count % 2 == 0);
      PartScales scales;
      PartScales unused;
      ours().fit_scales(parts.view(), range, widest, scales, unused);
      for (std::size_t part = 0; part < kParts; ++part) scales.min[part] = -0.01F * static_cast<float>(part);
      constexpr std::int8_t kGuard = 99;
      std::vector<std::int8_t> codes(count * kParts + kParts, kGuard);
      std::array<float, kParts> errors = {};
      ours().encode(parts.view(), scales, range, codes.data(), errors.data());
      for (std::size_t part = 0; part < kParts; ++part) {
        const double scale = scales.scale[part];
        double error = 0.0;
        double squares = 0.0;
        for (std::size_t i = 0; i < count; ++i) {
          const double code = codes[kParts * i + part];
          ASSERT_TRUE(code >= range.low && code <= range.high);
          const double x = parts.value(part, i);
          const double exact = scale == 0.0 ? 0.0 : (x - scales.min[part]) / scale;
          EXPECT_LE(std::fabs(code - std::clamp<double>(exact, range.low, range.high)), 0.5 + 1e-4);
          const double off = scale * code + scales.min[part] - x;
          error += parts.weight(part, i) * off * off;
          squares += parts.weight(part, i) * (x * x + scales.min[part] * scales.min[part]);
        }
        EXPECT_NEAR(errors[part], error, 1e-5 * error + 1e-9 * squares) << part;
      }
      EXPECT_TRUE(std::all_of(codes.end() - kParts, codes.end(), [](int code) { return code == kGuard; }));
      std::vector<std::int8_t> scalar_codes(codes.size(), kGuard);
      std::array<float, kParts> scalar_errors = {};
      scalar().encode(parts.view(), scales, range, scalar_codes.data(), scalar_errors.data());
      EXPECT_EQ(codes, scalar_codes);
      EXPECT_EQ(std::memcmp(errors.data(), scalar_errors.data(), sizeof errors), 0);
    }
  }
}

// Values too small for an inverse, and so large that sums overflow: nothing is NaN, and all levels agree.
TEST_P(EncodeKernelTest, TinyAndHugeValuesGiveNumbers) {
  for (const float size : {1e-45F, 1e-38F, 1e-30F, 1e19F, 1e30F, 3e38F}) {
    Parts parts = random_parts(32, 5, false);
    for (std::size_t i = 0; i < parts.x.size(); ++i) parts.x[i] = (i % 3 == 0 ? -size : size * 0.5F);
    PartScales plain, fitted, scalar_plain, scalar_fitted;
    ours().fit_scales(parts.view(), {-8, 7}, 1.25F, plain, fitted);
    scalar().fit_scales(parts.view(), {-8, 7}, 1.25F, scalar_plain, scalar_fitted);
    EXPECT_TRUE(same_bits(plain, scalar_plain) && same_bits(fitted, scalar_fitted)) << size;
    std::vector<std::int8_t> codes(32 * kParts);
    std::array<float, kParts> errors = {};
    for (const PartScales* scales : {&plain, &fitted}) {
      for (const float scale : scales->scale) EXPECT_FALSE(std::isnan(scale)) << size;
      ours().encode(parts.view(), *scales, {-8, 7}, codes.data(), errors.data());
      for (const std::int8_t code : codes) EXPECT_TRUE(code >= -8 && code <= 7);
    }
    ours().fit_scales_and_mins(parts.view(), 15, plain, fitted);
    scalar().fit_scales_and_mins(parts.view(), 15, scalar_plain, scalar_fitted);
    EXPECT_TRUE(same_bits(plain, scalar_plain) && same_bits(fitted, scalar_fitted)) << size;
  }
}

TEST_P(EncodeKernelTest, ScalesBecomeHalves) {
  PartScales scales;
  const std::array<float, kParts> values = {0.0F,  1.0F,   -0.1F,  1e-5F, 1e-8F, 3e-8F,  65504.0F, 65520.0F,
                                            1e30F, -1e30F, 0.333F, 2049,  2051,  -4e-6F, 1e-38F,   -0.0F};
  std::ranges::copy(values, scales.scale);
  std::array<std::uint16_t, kParts> halves = {};
  ours().round_scales(scales, halves.data());
  for (std::size_t i = 0; i < kParts; ++i) {
    EXPECT_EQ(halves[i], tensor::f32_to_f16(values[i])) << values[i];
    EXPECT_EQ(scales.scale[i], tensor::f16_to_f32(halves[i])) << values[i];
  }
}

TEST_P(EncodeKernelTest, HalvesAndBfloat16AreWidenedAtEveryLength) {
  std::vector<std::byte> stored(2 * 67);
  for (std::size_t i = 0; i < stored.size(); ++i) stored[i] = static_cast<std::byte>(i * 37 % 123);
  for (std::size_t n = 0; n <= 67; ++n) {
    GuardedMatrix f16(1, std::max<std::size_t>(n, 1));
    GuardedMatrix bf16(1, std::max<std::size_t>(n, 1));
    ours().widen_f16(stored.data(), n, f16.data());
    ours().widen_bf16(stored.data(), n, bf16.data());
    for (std::size_t i = 0; i < n; ++i) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, stored.data() + 2 * i, 2);
      EXPECT_EQ(f16.data()[i], tensor::f16_to_f32(bits));
      EXPECT_EQ(std::bit_cast<std::uint32_t>(bf16.data()[i]),
                std::bit_cast<std::uint32_t>(tensor::bf16_to_f32(bits)));
    }
    EXPECT_TRUE(f16.guards_intact() && bf16.guards_intact());
  }
}

TEST_P(EncodeKernelTest, OneValueThatIsNotFiniteIsSeen) {
  constexpr float kMax = std::numeric_limits<float>::max();
  for (std::size_t n = 1; n <= 67; ++n) {
    GuardedMatrix x = random_matrix(1, n, n);
    x.data()[n / 2] = kMax;
    x.data()[0] = -kMax;
    EXPECT_TRUE(ours().all_finite(x.data(), n)) << n;
    for (const float value : {INFINITY, -INFINITY, NAN}) {
      const float before = std::exchange(x.data()[n - 1], value);
      EXPECT_FALSE(ours().all_finite(x.data(), n)) << n;
      x.data()[n - 1] = before;
    }
  }
}

CARAT_TEST_ALL_LEVELS(EncodeKernelTest);

}  // namespace
}  // namespace carat::kernels
