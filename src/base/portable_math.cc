#include "base/portable_math.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace carat {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// ln 2 in two parts: the first has 32 significant bits, so that its product with an exponent is exact.
constexpr double kLn2High = 0x1.62e42feep-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kLog2E = 0x1.71547652b82fep+0;

// Taylor coefficients of exp, 1 / n!. For |r| <= ln(2) / 2 what follows the last one is below 5e-18.
constexpr auto kInverseFactorials = [] {
  std::array<double, 14> values = {1.0, 1.0};
  double factorial = 1.0;  // exact up to 13!
  for (std::size_t n = 2; n < values.size(); ++n) {
    factorial *= static_cast<double>(n);
    values[n] = 1.0 / factorial;
  }
  return values;
}();

double power_of_two(std::int64_t exponent) {  // -1022 .. 1023
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

}  // namespace

double portable_exp(double x) {
  if (std::isnan(x)) return x;
  if (x > 710.0) return kInfinity;
  if (x < -746.0) return 0.0;

  // x = k ln 2 + r with |r| <= ln(2) / 2, hence exp(x) = 2^k exp(r).
  const double k = std::floor(x * kLog2E + 0.5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double tail = 0.0;  // r^2 / 2! + r^3 / 3! + ...
  for (std::size_t n = kInverseFactorials.size() - 1; n >= 2; --n) tail = tail * r + kInverseFactorials[n];
  const double exp_r = 1.0 + (r + r * r * tail);

  // In two steps, since 2^k alone may be too large or too small for a double where the result is not.
  const auto exponent = static_cast<std::int64_t>(k);
  const std::int64_t half = exponent / 2;
  return exp_r * power_of_two(half) * power_of_two(exponent - half);
}

double portable_log(double x) {
  if (std::isnan(x) || x == kInfinity) return x;
  if (x < 0.0) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0.0) return -kInfinity;

  // x = 2^k m with m in [sqrt(1/2), sqrt(2)); a subnormal x is made normal first.
  std::int64_t k = 0;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    k = -54;
  }
  const auto bits = std::bit_cast<std::uint64_t>(x);
  k += static_cast<std::int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m >= 0x1.6a09e667f3bcdp+0) {
    m *= 0.5;
    ++k;
  }

  // With f = m - 1 and s = f / (2 + f): log(1 + f) = 2 atanh(s) = 2s + s R, R = 2/3 s^2 + 2/5 s^4 + ..., and
  // since 2s = f - s f, log(1 + f) = f - (f^2/2 - s (f^2/2 + R)). Written so, the rounding of s hardly
  // matters. |s| <= 0.172, so that the terms after 2/21 s^20 are below 1e-17 of the sum.
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double r = 0.0;
  for (int n = 21; n >= 3; n -= 2) r = (r + 2.0 / n) * z;
  const double half_square = 0.5 * f * f;
  const auto exponent = static_cast<double>(k);
  return exponent * kLn2High - ((half_square - (s * (half_square + r) + exponent * kLn2Low)) - f);
}

}  // namespace carat
