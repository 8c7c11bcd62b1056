#include "terminal/wide_text.h"

#include <gtest/gtest.h>

namespace carat::terminal {
namespace {

TEST(WideText, EveryLengthOfCharacter) {
  EXPECT_EQ(to_wide("aß世\xF0\x9F\x98\x80"), L"aß世\U0001F600");
  EXPECT_EQ(to_utf8(L"aß世\U0001F600"), "aß世\xF0\x9F\x98\x80");
}

TEST(WideText, BordersOfTheLengthsComeBack) {
  for (const std::uint32_t value :
       {0x1U, 0x7FU, 0x80U, 0x7FFU, 0x800U, 0xD7FFU, 0xE000U, 0xFFFFU, 0x10000U, 0x10FFFFU}) {
    const std::wstring one(1, static_cast<wchar_t>(value));
    EXPECT_EQ(to_wide(to_utf8(one)), one) << value;
  }
}

TEST(WideText, WhatIsInvalidIsReplaced) {
  EXPECT_EQ(to_wide("a\xFFz\xC3"), L"a\uFFFDz\uFFFD");
  EXPECT_EQ(to_utf8(std::wstring{static_cast<wchar_t>(0xD800), static_cast<wchar_t>(0x110000)}),
            "\uFFFD\uFFFD");
}

}  // namespace
}  // namespace carat::terminal
