#include "tensor/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace carat::tensor {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool is_nan_half(std::uint32_t half) { return (half & 0x7FFFU) > 0x7C00U; }

// The value of a half by its definition.
double half_by_definition(std::uint32_t half) {
  const int exponent = static_cast<int>((half >> 10) & 31);
  const int fraction = static_cast<int>(half & 1023);
  const double magnitude = exponent == 31  ? std::numeric_limits<double>::infinity()
                           : exponent == 0 ? std::ldexp(fraction, -24)
                                           : std::ldexp(1024 + fraction, exponent - 25);
  return (half & 0x8000U) != 0 ? -magnitude : magnitude;
}

// The value of a bfloat16 by its definition.
double bf16_by_definition(std::uint32_t bits) {
  const int exponent = static_cast<int>((bits >> 7) & 255);
  const int fraction = static_cast<int>(bits & 127);
  const double magnitude = exponent == 255 ? std::numeric_limits<double>::infinity()
                           : exponent == 0 ? std::ldexp(fraction, -133)
                                           : std::ldexp(128 + fraction, exponent - 134);
  return (bits & 0x8000U) != 0 ? -magnitude : magnitude;
}

// Values where conversions go wrong, and values between.
std::vector<float> awkward_floats() {
  std::vector<float> values = {0.0F,       -0.0F,    kInfinity, -kInfinity,
                               65519.996F, 65520.0F, 65536.0F,  3.4028235e38F};
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    // Every half, the ties between halves, and the floats beside them.
    if (!is_nan_half(bits) && (bits & 0x7FFFU) < 0x7C00U) {
      const double low = half_by_definition(bits);
      const double high =
          (bits & 0x7FFFU) == 0x7BFFU ? std::copysign(65536.0, low) : half_by_definition(bits + 1);
      const auto tie = static_cast<float>((low + high) / 2);
      values.insert(values.end(), {static_cast<float>(low), tie, std::nextafterf(tie, kInfinity),
                                   std::nextafterf(tie, -kInfinity)});
    }
    // The same of bfloat16: the upper half of a float's bits.
    for (const std::uint32_t low : {0x0000U, 0x7FFFU, 0x8000U, 0x8001U}) {
      const float value = std::bit_cast<float>(bits << 16 | low);
      if (!std::isnan(value)) values.push_back(value);
    }
  }
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!std::isnan(value)) values.push_back(value);
  }
  return values;
}

// Among two neighbours the nearer one, at equal distance the even one. `limit` stands for the value that
// infinity would have if the exponent went on: what lies halfway to it or beyond is infinite.
template <class Value>
bool is_nearest_even(float value, std::uint32_t result, std::uint32_t infinity, double limit,
                     Value value_of) {
  const auto finite = [&](std::uint32_t bits) {
    return (bits & 0x7FFFU) == infinity ? std::copysign(limit, (bits & 0x8000U) != 0 ? -1.0 : 1.0)
                                        : value_of(bits);
  };
  if (std::signbit(value) != ((result & 0x8000U) != 0)) return false;
  if (std::isinf(value)) return (result & 0x7FFFU) == infinity;
  const double distance = std::fabs(value - finite(result));
  if ((result & 0x7FFFU) == infinity && std::fabs(value) >= limit) return true;
  for (const int step : {-1, 1}) {
    const std::uint32_t magnitude = result & 0x7FFFU;
    if ((magnitude == 0 && step < 0) || (magnitude == infinity && step > 0)) continue;
    const double other = std::fabs(value - finite(result + static_cast<std::uint32_t>(step)));
    if (other < distance || (other == distance && result % 2 != 0)) return false;
  }
  return true;
}

TEST(Half, EveryHalfToF32) {
  for (std::uint32_t half = 0; half < 65536; ++half) {
    const float value = f16_to_f32(static_cast<std::uint16_t>(half));
    if (is_nan_half(half)) {
      ASSERT_TRUE(std::isnan(value)) << half;
    } else {
      ASSERT_EQ(value, half_by_definition(half)) << half;
      ASSERT_EQ(std::signbit(value), (half & 0x8000U) != 0) << half;
    }
  }
}

#ifdef __FLT16_MANT_DIG__
// The compiler's own conversions, which are the processor's or its run-time library's.
TEST(Half, AgreesWithTheCompilersHalfType) {
  for (std::uint32_t half = 0; half < 65536; ++half) {
    if (is_nan_half(half)) continue;
    const auto native = std::bit_cast<_Float16>(static_cast<std::uint16_t>(half));
    ASSERT_EQ(f16_to_f32(static_cast<std::uint16_t>(half)), static_cast<float>(native)) << half;
  }
  for (const float value : awkward_floats()) {
    ASSERT_EQ(f32_to_f16(value), std::bit_cast<std::uint16_t>(static_cast<_Float16>(value))) << value;
  }
}
#endif

TEST(Half, F32ToNearestEvenHalf) {
  for (const float value : awkward_floats()) {
    ASSERT_TRUE(is_nearest_even(value, f32_to_f16(value), 0x7C00, 65536.0, half_by_definition))
        << value << " became " << f32_to_f16(value);
  }
}

TEST(Half, EveryHalfSurvivesTheRoundTrip) {
  for (std::uint32_t half = 0; half < 65536; ++half) {
    if (is_nan_half(half)) continue;
    ASSERT_EQ(f32_to_f16(f16_to_f32(static_cast<std::uint16_t>(half))), half);
  }
}

TEST(Bfloat16, EveryOneToF32AndBack) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = bf16_to_f32(static_cast<std::uint16_t>(bits));
    if ((bits & 0x7FFFU) > 0x7F80U) {
      ASSERT_TRUE(std::isnan(value)) << bits;
    } else {
      ASSERT_EQ(value, bf16_by_definition(bits)) << bits;
      ASSERT_EQ(f32_to_bf16(value), bits);
    }
  }
}

TEST(Bfloat16, F32ToNearestEven) {
  for (const float value : awkward_floats()) {
    ASSERT_TRUE(is_nearest_even(value, f32_to_bf16(value), 0x7F80, 0x1p128, bf16_by_definition))
        << value << " became " << f32_to_bf16(value);
  }
}

TEST(Half, NanStaysNan) {
  // Payloads that truncation alone would turn into infinity, and signs.
  for (const std::uint32_t bits :
       {0x7F800001U, 0x7F801FFFU, 0x7FC00000U, 0x7FFFFFFFU, 0xFF800001U, 0xFFFFFFFFU}) {
    const float value = std::bit_cast<float>(bits);
    EXPECT_TRUE(is_nan_half(f32_to_f16(value))) << bits;
    EXPECT_GT(f32_to_bf16(value) & 0x7FFF, 0x7F80) << bits;
    EXPECT_EQ(f32_to_f16(value) >> 15, bits >> 31);
    EXPECT_EQ(f32_to_bf16(value) >> 15, bits >> 31);
  }
}

}  // namespace
}  // namespace carat::tensor
