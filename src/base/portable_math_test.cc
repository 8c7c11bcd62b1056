#include "base/portable_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "base/counter_rng.h"

namespace carat {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Distance in units of the last place of `expected`, which the C library computed in extended precision.
double ulps(double actual, long double expected) {
  const auto rounded = std::abs(static_cast<double>(expected));
  const double ulp = std::nextafter(rounded, kInfinity) - rounded;
  return static_cast<double>(std::abs(actual - expected) / ulp);
}

TEST(PortableExp, IsWithinTwoUlpOfTheTruth) {
  for (std::uint64_t i = 0; i < 200'000; ++i) {
    const double x = -745.0 + 1454.7 * uniform_draw(/*seed=*/1, i);
    ASSERT_LT(ulps(portable_exp(x), std::exp(static_cast<long double>(x))), 2.0) << x;
  }
  for (std::uint64_t i = 0; i < 200'000; ++i) {  // where a soft-max has most of its terms
    const double x = -20.0 * uniform_draw(/*seed=*/2, i);
    ASSERT_LT(ulps(portable_exp(x), std::exp(static_cast<long double>(x))), 2.0) << x;
  }
}

TEST(PortableExp, HandlesTheEdges) {
  EXPECT_EQ(portable_exp(0.0), 1.0);
  EXPECT_EQ(portable_exp(-0.0), 1.0);
  EXPECT_EQ(portable_exp(709.782712893384), std::exp(709.782712893384));
  EXPECT_EQ(portable_exp(709.79), kInfinity);
  EXPECT_EQ(portable_exp(1e300), kInfinity);
  EXPECT_EQ(portable_exp(kInfinity), kInfinity);
  EXPECT_EQ(portable_exp(-745.13), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(portable_exp(-745.2), 0.0);
  EXPECT_EQ(portable_exp(-1e300), 0.0);
  EXPECT_EQ(portable_exp(-kInfinity), 0.0);
  EXPECT_TRUE(std::isnan(portable_exp(kNaN)));
}

TEST(PortableLog, IsWithinTwoUlpOfTheTruth) {
  for (std::uint64_t i = 0; i < 200'000; ++i) {
    const double u = uniform_draw(/*seed=*/3, i);
    const double near_one = 0.5 + 1.5 * u;
    const double anywhere = std::ldexp(0.5 + u, static_cast<int>(i % 2098) - 1074);
    for (const double x : {near_one, anywhere}) {
      if (x == 0.0 || x == 1.0) continue;
      ASSERT_LT(ulps(portable_log(x), std::log(static_cast<long double>(x))), 2.0) << x;
    }
  }
}

TEST(PortableLog, HandlesTheEdges) {
  EXPECT_EQ(portable_log(1.0), 0.0);
  EXPECT_EQ(portable_log(0.0), -kInfinity);
  EXPECT_EQ(portable_log(-0.0), -kInfinity);
  EXPECT_EQ(portable_log(kInfinity), kInfinity);
  EXPECT_EQ(portable_log(std::numeric_limits<double>::denorm_min()),
            std::log(std::numeric_limits<double>::denorm_min()));
  EXPECT_TRUE(std::isnan(portable_log(-1.0)));
  EXPECT_TRUE(std::isnan(portable_log(kNaN)));
}

// The same bits with every compiler, C library and machine: a fused or reordered operation shows up here.
TEST(PortableMath, GivesTheseBits) {
  double exp_bits = 0.0;
  double log_bits = 0.0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const double u = uniform_draw(/*seed=*/4, i);
    exp_bits += portable_exp(-30.0 * u);
    log_bits += portable_log(u);
  }
  EXPECT_EQ(exp_bits, 0x1.17133ddfd6b1ep+5);
  EXPECT_EQ(log_bits, -0x1.f8ebb351989cap+9);
}

}  // namespace
}  // namespace carat
