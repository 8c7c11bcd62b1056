#include "base/utf8.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

namespace carat {
namespace {

TEST(Utf8Test, ReplacesEachMaximalInvalidSubpart) {
  const std::string r(kReplacementCharacter);
  EXPECT_EQ(replace_invalid_utf8(""), "");
  EXPECT_EQ(replace_invalid_utf8("plain"), "plain");
  EXPECT_EQ(replace_invalid_utf8("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"),
            "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(replace_invalid_utf8("a\x80\x62"), "a" + r + "b");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82x"), r + "x");       // truncated: one
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x98"), r);          // at the end: one
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), r + r + r);  // surrogate: no byte of it can begin anything
  EXPECT_EQ(replace_invalid_utf8("\xC0\xAF"), r + r);          // overlong
  EXPECT_EQ(replace_invalid_utf8("\xF4\x90\x80\x80"), r + r + r + r);  // above U+10FFFF
  // Unicode 15, table 3-8.
  EXPECT_EQ(replace_invalid_utf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"),
            "a" + r + r + r + "b" + r + "c" + r + r + "d");
}

TEST(Utf8Test, TellsIncompleteFromInvalid) {
  EXPECT_EQ(first_utf8_unit("\xF0\x9F\x98").kind, Utf8Unit::kIncomplete);
  EXPECT_EQ(first_utf8_unit("\xF0\x9F\x98").length, 3U);
  EXPECT_EQ(first_utf8_unit("\xF0\x9Fz").kind, Utf8Unit::kInvalid);
  EXPECT_EQ(first_utf8_unit("\xF0\x9Fz").length, 2U);
  EXPECT_EQ(first_utf8_unit("\xC3\xA9z").kind, Utf8Unit::kCharacter);
  EXPECT_EQ(first_utf8_unit("\xC3\xA9z").length, 2U);
}

TEST(Utf8Test, FindsInvalidBytesBehindLongAscii) {
  for (std::size_t length = 0; length < 40; ++length) {
    const std::string ascii(length, 'x');
    EXPECT_TRUE(is_valid_utf8(ascii)) << length;
    EXPECT_FALSE(is_valid_utf8(std::string(ascii).append("\xFF").append(ascii))) << length;
    EXPECT_FALSE(is_valid_utf8(ascii + "\xC3")) << length;
  }
}

// All texts of four bytes at the borders of the ranges. The constants are Python's, for the same texts in the
// same order: bytes(t).decode(errors="replace").encode() for t in itertools.product(borders, repeat=4),
// hashed by FNV-1a.
TEST(Utf8Test, AgreesWithPythonAtEveryRangeBorder) {
  constexpr std::array<unsigned char, 25> kBorders = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                                      0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                                      0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (std::size_t i = 0; i < 25 * 25 * 25 * 25; ++i) {
    std::string text;
    for (const std::size_t divisor : {25 * 25 * 25, 25 * 25, 25, 1}) {
      text += static_cast<char>(kBorders[i / divisor % 25]);
    }
    const std::string valid = replace_invalid_utf8(text);
    EXPECT_EQ(is_valid_utf8(text), valid == text);
    for (const char byte : valid) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3U;
  }
  EXPECT_EQ(hash, 0xB9EB8D0B45E0B6D1U);
}

}  // namespace
}  // namespace carat
