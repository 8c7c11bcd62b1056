#include "tensor/dequantize.h"
#include "base/test_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <vector>

namespace carat::tensor {
namespace {

std::vector<float> decode(ElementType type, const std::vector<std::uint8_t>& stored, std::size_t values) {
  std::vector<float> out(values, -777.0f);
  dequantize(type, std::as_bytes(std::span(stored)), out);
  return out;
}

// A block that begins with d = 1.0 in f16.
std::vector<std::uint8_t> with_f16_one(const std::vector<std::uint8_t>& rest) {
  std::vector<std::uint8_t> block(rest.size() + 2);
  block[1] = 0x3c;
  std::copy(rest.begin(), rest.end(), block.begin() + 2);
  return block;
}

// IEEE 754 binary16 from its definition.
float half_by_definition(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  const float sign = bits >> 15 ? -1.0f : 1.0f;
  if (exponent == 31) {
    return mantissa == 0 ? sign * std::numeric_limits<float>::infinity()
                         : std::numeric_limits<float>::quiet_NaN();
  }
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                                        : std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
  return sign * magnitude;
}

TEST(Dequantize, EveryF16) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const std::vector<std::uint8_t> stored = {static_cast<std::uint8_t>(bits),
                                              static_cast<std::uint8_t>(bits >> 8)};
    const float value = decode(ElementType::kF16, stored, 1)[0];
    const float expected = half_by_definition(static_cast<std::uint16_t>(bits));
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << bits;
    } else {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(value), std::bit_cast<std::uint32_t>(expected)) << bits;
    }
  }
}

TEST(Dequantize, PlainFloats) {
  EXPECT_EQ(decode(ElementType::kBF16, {0x80, 0x3f, 0x49, 0xc0}, 2), (std::vector<float>{1.0f, -3.140625f}));
  EXPECT_EQ(decode(ElementType::kF32, {0xdb, 0x0f, 0x49, 0x40}, 1), (std::vector<float>{3.14159274f}));
  EXPECT_TRUE(decode(ElementType::kQ4_0, {}, 0).empty());
}

TEST(Dequantize, NibblesOfQ4_0FillBothHalves) {
  std::vector<std::uint8_t> codes(16);
  for (std::size_t j = 0; j < 16; ++j) codes[j] = static_cast<std::uint8_t>(j | (15 - j) << 4);
  const auto values = decode(ElementType::kQ4_0, with_f16_one(codes), 32);
  for (int j = 0; j < 16; ++j) {
    EXPECT_EQ(values[static_cast<std::size_t>(j)], static_cast<float>(j - 8));
    EXPECT_EQ(values[static_cast<std::size_t>(j + 16)], static_cast<float>(7 - j));
  }
}

TEST(Dequantize, Q8_0IsSigned) {
  std::vector<std::uint8_t> codes(32, 0);
  codes[0] = 0x80;
  codes[31] = 0x7f;
  const auto values = decode(ElementType::kQ8_0, with_f16_one(codes), 32);
  EXPECT_EQ(values[0], -128.0f);
  EXPECT_EQ(values[1], 0.0f);
  EXPECT_EQ(values[31], 127.0f);
}

// Values computed by the gguf Python package (tools/make_dequantize_fixture.py); equal to the bit.
TEST(Dequantize, AgreesWithTheReferenceOnRandomBlocksAndExtremeScales) {
  std::ifstream file(test_fixture("dequantize.bin"), std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  ASSERT_FALSE(bytes.empty());
  std::set<ElementType> seen;
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::uint32_t header[2];
    std::memcpy(header, bytes.data() + at, sizeof header);
    at += sizeof header;
    const auto type = element_type_from_ggml_id(header[0]);
    ASSERT_TRUE(type.has_value()) << header[0];
    const ElementTypeInfo& layout = info(*type);
    SCOPED_TRACE(layout.name);
    seen.insert(*type);

    const std::size_t stored_bytes = header[1] * layout.block_bytes;
    std::vector<float> expected(header[1] * layout.block_values);
    ASSERT_LE(at + stored_bytes + expected.size() * sizeof(float), bytes.size());
    std::vector<float> values(expected.size());
    dequantize(*type, std::as_bytes(std::span(bytes).subspan(at, stored_bytes)), values);
    at += stored_bytes;
    std::memcpy(expected.data(), bytes.data() + at, expected.size() * sizeof(float));
    at += expected.size() * sizeof(float);
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(expected[i]))
          << "value " << i << ": " << values[i] << " against " << expected[i];
    }
  }
  EXPECT_EQ(seen.size(), kElementTypeCount - 5);  // all of ggml's but the plain floats
}

// Two's complement, the low nibble first; the scale comes from elsewhere.
TEST(Dequantize, Int4HoldsEveryCode) {
  std::vector<std::uint8_t> stored;
  std::vector<float> expected;
  for (int code = -8; code < 8; ++code) {
    stored.push_back(static_cast<std::uint8_t>((code & 15) | ((-code - 1) & 15) << 4));
    expected.push_back(static_cast<float>(code));
    expected.push_back(static_cast<float>(-code - 1));
  }
  EXPECT_EQ(decode(ElementType::kInt4, stored, 32), expected);
}

TEST(Dequantize, RowScalesMultiplyWholeRows) {
  std::vector<float> values = {1, 2, 3, 4, 5, 6};
  apply_row_scales({}, values);
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  apply_row_scales(std::vector<float>{2.0F, -0.5F}, values);
  EXPECT_EQ(values, (std::vector<float>{2, 4, 6, -2, -2.5F, -3}));
}

}  // namespace
}  // namespace carat::tensor
