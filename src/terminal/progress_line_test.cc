#include "terminal/progress_line.h"

#include <gtest/gtest.h>

#include <string>

namespace carat::terminal {
namespace {

using std::chrono_literals::operator""ms;

class FakeClock final : public Clock {
 public:
  std::chrono::nanoseconds now() const override { return time; }
  std::chrono::nanoseconds time{0};
};

class ProgressLineTest : public testing::Test {
 protected:
  std::string take() { return std::exchange(written_, {}); }

  FakeClock clock_;
  std::string written_;
  ProgressLine::Write write_ = [this](std::string_view text) { written_ += text; };
};

TEST_F(ProgressLineTest, ShowsNothingInTheFirstSecond) {
  {
    ProgressLine line(clock_, write_);
    clock_.time = 999ms;
    line.update("loading", 1, 2);
  }
  EXPECT_EQ(take(), "");
}

TEST_F(ProgressLineTest, RedrawsInPlaceAndErasesItself) {
  ProgressLine line(clock_, write_);
  clock_.time = 1000ms;
  line.update("loading", 1, 3);
  EXPECT_EQ(take(), "\r\x1b[Kloading: 33%");
  clock_.time = 1050ms;
  line.update("loading", 2, 3);
  EXPECT_EQ(take(), "") << "not so soon";
  clock_.time = 1100ms;
  line.update("loading", 9, 3);
  EXPECT_EQ(take(), "\r\x1b[Kloading: 100%");
  line.clear();
  EXPECT_EQ(take(), "\r\x1b[K");
  clock_.time = 2000ms;
  line.update("reading", 0, 0);
  EXPECT_EQ(take(), "") << "the second counts from clear()";
}

TEST_F(ProgressLineTest, IsSilentWithoutATerminal) {
  ProgressLine line(clock_, {});
  clock_.time = 5000ms;
  line.update("loading", 1, 2);
  line.clear();
}

}  // namespace
}  // namespace carat::terminal
