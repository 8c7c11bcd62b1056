#include "quantize/encode_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/levels.h"
#include "tensor/dequantize.h"
#include "tensor/half.h"
#include "tensor/test_stored_rows.h"

namespace carat::quantize {
namespace {

using tensor::ElementType;
using enum tensor::ElementType;

std::vector<float> normal_row(std::size_t columns, unsigned seed, float deviation = 0.05F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, deviation);
  std::vector<float> row(columns);
  for (float& value : row) value = normal(random);
  return row;
}

struct Encoded {
  std::vector<std::byte> bytes;
  std::vector<float> values;  // decoded again
  float scale = 1.0F;
  bool storable = false;
};

Encoded encoded(ElementType type, std::span<const float> row, Importance importance = {}) {
  Encoded out;
  out.bytes.resize(*tensor::row_bytes(type, row.size()));
  out.values.resize(row.size());
  std::vector<float> scales(tensor::info(type).row_scaled ? 1 : 0, 1.0F);
  out.storable = !encode_rows({type, row.size(), importance}, kernels::best_level().kernels->encode, row,
                              out.bytes, scales);
  if (!scales.empty()) out.scale = scales[0];
  tensor::dequantize(type, out.bytes, out.values);
  if (tensor::info(type).row_scaled) tensor::apply_row_scales({&out.scale, 1}, out.values);
  return out;
}

double error_of(std::span<const float> row, std::span<const float> values, Importance importance = {}) {
  double total = 0.0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double off = static_cast<double>(values[i]) - row[i];
    total += off * off * (importance.empty() ? 1.0F : importance[i]);
  }
  return total;
}

float as_f16(float value) { return tensor::f16_to_f32(tensor::f32_to_f16(value)); }

// Rounding to the nearest code with a scale that clips nothing, as the plain converters do, in values.
std::vector<float> plain(ElementType type, std::span<const float> row) {
  std::vector<float> out(row.size());
  const std::size_t block = type == kInt4 ? row.size() : 32;
  for (std::size_t first = 0; first < row.size(); first += block) {
    const auto x = row.subspan(first, block);
    const float most =
        *std::ranges::max_element(x, [](float a, float b) { return std::fabs(a) < std::fabs(b); });
    float scale = 0.0F;
    float low = 0.0F;
    float high = 0.0F;
    switch (type) {
      case kQ4_0: scale = as_f16(most / -8.0F), low = -8, high = 7; break;
      case kQ5_0: scale = as_f16(most / -16.0F), low = -16, high = 15; break;
      case kQ8_0: scale = as_f16(std::fabs(most) / 127.0F), low = -127, high = 127; break;
      default: scale = std::fabs(most) / 7.0F, low = -8, high = 7; break;
    }
    for (std::size_t i = 0; i < block; ++i) {
      const float code = scale == 0.0F ? 0.0F : std::nearbyint(x[i] / scale);
      out[first + i] = scale * std::clamp(code, low, high);
    }
  }
  return out;
}

// The least error of one block that any f16 scale gives, trying thousands.
double brute_force(std::span<const float> x, float low, float high) {
  float most = 0.0F;
  for (const float value : x) most = std::max(most, std::fabs(value));
  double best = HUGE_VAL;
  for (int step = 1; step <= 8000; ++step) {
    for (const float sign : {1.0F, -1.0F}) {
      const float scale = as_f16(sign * most / high * static_cast<float>(step) / 4000.0F);
      if (scale == 0.0F) continue;
      double error = 0.0;
      for (const float value : x) {
        const float off = value - scale * std::clamp(std::nearbyint(value / scale), low, high);
        error += static_cast<double>(off) * off;
      }
      best = std::min(best, error);
    }
  }
  return best;
}

class EncodeTest : public testing::TestWithParam<ElementType> {};

TEST_P(EncodeTest, IsNeverWorseThanPlainRounding) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::vector<float> row = normal_row(256, seed);
    if (seed % 3 == 1) row[seed] = 1.0F;  // an outlier
    if (seed % 3 == 2) row[seed] *= -3.0F;
    const Encoded actual = encoded(GetParam(), row);
    ASSERT_TRUE(actual.storable);
    EXPECT_LE(error_of(row, actual.values), error_of(row, plain(GetParam(), row)) * 1.00001) << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, EncodeTest, testing::Values(kQ4_0, kQ5_0, kQ8_0, kInt4),
                         [](const auto& type) { return std::string(tensor::info(type.param).name); });

TEST(Encode, Q4_0ComesNearTheBestScale) {
  double ours = 0.0;
  double best = 0.0;
  double rounded = 0.0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const std::vector<float> row = normal_row(32, seed);
    ours += error_of(row, encoded(kQ4_0, row).values);
    best += brute_force(row, -8.0F, 7.0F);
    rounded += error_of(row, plain(kQ4_0, row));
  }
  EXPECT_LE(ours, 1.06 * best);
  EXPECT_LE(ours, 0.92 * rounded);
}

TEST(Encode, Int4ComesNearTheBestScaleOfARow) {
  const std::vector<float> row = normal_row(2560, 1);
  const double best = brute_force(row, -8.0F, 7.0F);
  EXPECT_LE(error_of(row, encoded(kInt4, row).values), 1.05 * best);
}

// Sub-scales are integers, so what is best is not easily said; but a value is off by no more than the step of
// its part, and by less on average than the plain steps would give.
TEST(Encode, KTypesStayWithinTheirSteps) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const std::vector<float> row = normal_row(512, seed);
    double squares = 0.0;
    for (const float value : row) squares += static_cast<double>(value) * value;
    const Encoded q4 = encoded(kQ4_K, row);
    const Encoded q6 = encoded(kQ6_K, row);
    ASSERT_TRUE(q4.storable && q6.storable);
    // 15 steps over about 4 deviations, 63 steps over about 3.6: step^2 / 12, with room for the sub-scales.
    EXPECT_LE(std::sqrt(error_of(row, q4.values) / squares), 0.085);
    EXPECT_LE(std::sqrt(error_of(row, q6.values) / squares), 0.02);
  }
}

TEST(Encode, ImportantColumnsAreServedFirst) {
  for (const ElementType type : {kQ4_0, kQ4_K, kQ6_K, kInt4}) {
    std::vector<float> importance(256, 0.01F);
    for (std::size_t c = 0; c < 256; c += 8) importance[c] = 1.0F;
    double with = 0.0;
    double without = 0.0;
    for (unsigned seed = 0; seed < 20; ++seed) {
      const std::vector<float> row = normal_row(256, seed);
      with += error_of(row, encoded(type, row, importance).values, importance);
      without += error_of(row, encoded(type, row).values, importance);
    }
    EXPECT_LT(with, without) << tensor::info(type).name;
  }
}

TEST(Encode, ZerosAndOneValue) {
  for (const ElementType type : {kQ4_0, kQ5_0, kQ8_0, kQ4_K, kQ6_K, kInt4, kSFP8, kBF16, kF16, kF32}) {
    std::vector<float> row(256, 0.0F);
    EXPECT_EQ(encoded(type, row).values, row) << tensor::info(type).name;
    row[77] = -0.75F;
    const Encoded one = encoded(type, row);
    ASSERT_TRUE(one.storable);
    for (std::size_t i = 0; i < row.size(); ++i) {
      EXPECT_NEAR(one.values[i], row[i], 1e-3) << tensor::info(type).name << " " << i;
    }
    std::ranges::fill(row, 0.5F);
    const Encoded same = encoded(type, row);
    for (std::size_t i = 0; i < row.size(); ++i) {
      ASSERT_NEAR(same.values[i], 0.5F, 0.5F / 127) << tensor::info(type).name << " " << i;
    }
  }
}

TEST(Encode, TinyAndHugeValues) {
  for (const ElementType type : {kQ4_0, kQ5_0, kQ8_0, kQ4_K, kQ6_K, kInt4}) {
    const std::vector<float> tiny = normal_row(256, 3, 1e-38F);
    const Encoded small = encoded(type, tiny);
    EXPECT_TRUE(small.storable);
    for (const float value : small.values) EXPECT_LT(std::fabs(value), 1e-6F);
    const Encoded large = encoded(type, normal_row(256, 4, 1e30F));
    EXPECT_EQ(large.storable, type == kInt4) << tensor::info(type).name;  // an f16 scale overflows
  }
  EXPECT_FALSE(encoded(kF16, std::vector<float>{70'000.0F}).storable);
  EXPECT_TRUE(encoded(kBF16, std::vector<float>{70'000.0F}).storable);
}

TEST(Encode, Sfp8IsExactForItsOwnValuesAtAnyScale) {
  EXPECT_EQ(sfp8_scale(0.3F), 1.0F);
  EXPECT_EQ(sfp8_scale(1.875F), 1.0F);
  EXPECT_EQ(sfp8_scale(3.75F), 2.0F);
  std::vector<std::byte> codes;
  for (int byte = 0; byte < 256; ++byte) {
    if (byte != 0x80) codes.push_back(static_cast<std::byte>(byte));
  }
  std::vector<float> values(codes.size());
  tensor::dequantize(kSFP8, codes, values);
  for (const float scale : {1.0F, 2.0F}) {
    std::vector<float> scaled = values;
    for (float& value : scaled) value *= scale;
    std::vector<std::byte> out(codes.size());
    std::vector<float> row_scale = {scale};
    ASSERT_FALSE(
        encode_rows({kSFP8, scaled.size()}, kernels::best_level().kernels->encode, scaled, out, row_scale));
    EXPECT_EQ(out, codes);
  }
}

// Every code that a reader knows is one that the writer can give back.
TEST(Encode, WhatWasDecodedEncodesToTheSameValues) {
  for (const ElementType type : {kQ4_0, kQ8_0, kQ5_0}) {
    const tensor::StoredRows stored = tensor::random_stored_rows(type, 1, 256, 5);
    const std::vector<float> row = stored.values(0);
    const Encoded again = encoded(type, row);
    double squares = 0.0;
    for (const float value : row) squares += static_cast<double>(value) * value;
    EXPECT_LE(std::sqrt(error_of(row, again.values) / squares), type == kQ8_0 ? 0.005 : 0.05)
        << tensor::info(type).name;
  }
}

}  // namespace
}  // namespace carat::quantize
