#include "terminal/paste.h"

#include <gtest/gtest.h>

namespace carat::terminal {
namespace {

std::string lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "line\n";
  return text;
}

TEST(PasteBuffer, ShortTextGoesInAsItIs) {
  PasteBuffer buffer;
  EXPECT_EQ(buffer.insert("one\ntwo"), "one\ntwo");
  EXPECT_EQ(buffer.insert("one\r\ntwo\rthree\r"), "one\ntwo\nthree\n");
  EXPECT_EQ(buffer.insert(lines(7)), lines(7));
  EXPECT_EQ(buffer.expand("see one\ntwo"), "see one\ntwo");
}

TEST(PasteBuffer, LongTextIsAMarkUntilItIsSent) {
  PasteBuffer buffer;
  EXPECT_EQ(buffer.insert(lines(120)), "[pasted text 1: 120 lines]");
  EXPECT_EQ(buffer.insert(std::string(601, 'x')), "[pasted text 2: 1 line]");
  EXPECT_EQ(buffer.expand("A [pasted text 2: 1 line] B [pasted text 1: 120 lines]"),
            "A " + std::string(601, 'x') + " B " + lines(120));
  EXPECT_EQ(buffer.expand("[pasted text 1: 120 lines]"), "[pasted text 1: 120 lines]")
      << "sent, so forgotten";
}

TEST(PasteBuffer, MarksInsidePastedTextAreText) {
  PasteBuffer buffer;
  const std::string sly = "[pasted text 2: 9 lines]" + lines(20);
  const std::string mark = buffer.insert(sly);
  EXPECT_EQ(buffer.insert(lines(9)), "[pasted text 2: 9 lines]");
  EXPECT_EQ(buffer.expand(mark), sly);
}

TEST(PasteBuffer, AnEditedMarkIsText) {
  PasteBuffer buffer;
  buffer.insert(lines(10));
  EXPECT_EQ(buffer.expand("[pasted text 1: 10 line"), "[pasted text 1: 10 line");
}

}  // namespace
}  // namespace carat::terminal
