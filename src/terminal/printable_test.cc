#include "terminal/printable.h"

#include <gtest/gtest.h>

namespace carat::terminal {
namespace {

TEST(Printable, OrdinaryTextStaysAsItIs) {
  const std::string text = "Grüße, 世界 \xF0\x9F\x98\x80!\n\tעברית \xC2\xA0";
  EXPECT_EQ(printable_text(text), text);
  EXPECT_EQ(printable_text(""), "");
}

TEST(Printable, WhatATerminalObeysIsReplaced) {
  EXPECT_EQ(printable_text("\x1b]0;title\x07"), "\uFFFD]0;title\uFFFD");
  EXPECT_EQ(printable_text("\x1b[2J"), "\uFFFD[2J");
  EXPECT_EQ(printable_text("a\xC2\x9B"
                           "2J"),
            "a\uFFFD2J")
      << "the 8-bit form of ESC [";
  EXPECT_EQ(printable_text("a\bb\x7F"), "a\uFFFDb\uFFFD");
  EXPECT_EQ(printable_text(std::string_view("a\0b", 3)), "a\uFFFDb");
  EXPECT_EQ(printable_text("safe\rhidden"), "safe\uFFFDhidden");
  EXPECT_EQ(printable_text("\u202Eabc\u2066d"), "\uFFFDabc\uFFFDd");
  for (int byte = 0; byte < 0x20; ++byte) {
    if (byte == '\n' || byte == '\t') continue;
    EXPECT_EQ(printable_text(std::string(1, static_cast<char>(byte))), "\uFFFD") << byte;
  }
}

TEST(Printable, InvalidUtf8IsReplaced) {
  EXPECT_EQ(printable_text("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(printable_text("a\x9Bz"), "a\uFFFDz");  // a bare C1 byte, which some terminals obey
}

TEST(Printable, LineEndsOfOtherSystemsAreNewlines) { EXPECT_EQ(printable_text("a\r\nb"), "a\nb"); }

TEST(Printable, ALineHasNoNewlines) {
  EXPECT_EQ(printable_line("a\nb\tc"), "a\uFFFDb\uFFFDc");
  EXPECT_EQ(printable_line("a\r\nb"), "a\uFFFD\uFFFDb");
  EXPECT_EQ(printable_line("naïve.txt"), "naïve.txt");
}

}  // namespace
}  // namespace carat::terminal
