#include "tensor/sfp8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace carat::tensor {
namespace {

// The value of a byte by the format's definition.
double by_definition(unsigned byte) {
  const int code = static_cast<int>(byte & 127);
  if (code == 0) return 0.0;
  const double magnitude =
      code < 64 ? std::ldexp(4 + code % 4, code / 4 - 25) : std::ldexp(8 + code % 8, code / 8 - 18);
  return byte >= 128 ? -magnitude : magnitude;
}

TEST(Sfp8Test, EveryByteDecodesToItsDefinition) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (byte == 0x80) continue;  // reserved
    EXPECT_EQ(sfp8_to_f32(static_cast<std::uint8_t>(byte)), by_definition(byte)) << byte;
  }
  EXPECT_EQ(sfp8_to_f32(0x7F), 1.875F);
  EXPECT_EQ(sfp8_to_f32(0x01), 1.25F * 0x1p-23F);
}

TEST(Sfp8Test, EveryValueEncodesToItsByte) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (byte == 0x80) continue;
    EXPECT_EQ(f32_to_sfp8(static_cast<float>(by_definition(byte))), byte);
  }
}

TEST(Sfp8Test, RoundsAsTheFormatSays) {
  const auto round_trip = [](float value) { return sfp8_to_f32(f32_to_sfp8(value)); };
  EXPECT_EQ(round_trip(0.296875F), 0.3125F);
  EXPECT_EQ(round_trip(0.265625F), 0.25F);
  EXPECT_EQ(round_trip(0.96875F), 1.0F);
  EXPECT_EQ(round_trip(1.0625F), 1.0F);
  EXPECT_EQ(round_trip(0.00732421875F), 0.0078125F);
  EXPECT_EQ(round_trip(0.007568359375F), 0.0078125F);
  EXPECT_EQ(f32_to_sfp8(-0.0F), 0);
  EXPECT_EQ(f32_to_sfp8(std::nextafter(0x1.ep-24F, 0.0F)), 0);
  EXPECT_EQ(f32_to_sfp8(-std::nextafter(0x1.ep-24F, 0.0F)), 0);
  EXPECT_EQ(f32_to_sfp8(0x1.ep-24F), 1);
  EXPECT_EQ(f32_to_sfp8(0x1p-23F), 1);
  EXPECT_EQ(f32_to_sfp8(-0x1p-23F), 0x81);
  EXPECT_EQ(f32_to_sfp8(1.9F), 127);
}

// By trying all bytes: the nearest, of two equally near ones the even. Below the smallest codes zero is not
// chosen by distance, so there the rule above decides.
TEST(Sfp8Test, FindsTheNearestValue) {
  std::vector<unsigned> by_value(128);
  for (unsigned code = 0; code < 128; ++code) by_value[code] = code;
  std::mt19937_64 random(1);
  std::uniform_real_distribution<float> exponents(-22.0F, 0.9F);
  for (int i = 0; i < 100'000; ++i) {
    float value = std::exp2(exponents(random));
    if (i % 3 == 0) {  // exactly between two codes
      const unsigned code = 4 + static_cast<unsigned>(random() % 123);
      value = static_cast<float>((by_definition(code) + by_definition(code + 1)) / 2);
    }
    const auto worse = [&](unsigned a, unsigned b) {
      const double to_a = std::fabs(by_definition(a) - value);
      const double to_b = std::fabs(by_definition(b) - value);
      return to_a != to_b ? to_a > to_b : a % 2 > b % 2;
    };
    const unsigned nearest = *std::ranges::max_element(by_value, worse);
    ASSERT_EQ(f32_to_sfp8(value), nearest) << value;
    ASSERT_EQ(f32_to_sfp8(-value), nearest | 0x80U) << value;
  }
}

}  // namespace
}  // namespace carat::tensor
