#include "terminal/echo_off.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

namespace carat::terminal {
namespace {

// A pseudo-terminal in place of standard input.
class EchoOffTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::openpty(&controller_, &terminal_, nullptr, nullptr, nullptr), 0);
    ASSERT_NE(::dup2(terminal_, STDIN_FILENO), -1);
  }
  void TearDown() override {
    ::dup2(standard_input_, STDIN_FILENO);
    for (const int descriptor : {standard_input_, terminal_, controller_}) ::close(descriptor);
  }

  tcflag_t local_flags() const {
    termios settings = {};
    ::tcgetattr(terminal_, &settings);
    return settings.c_lflag;
  }

  int standard_input_ = ::dup(STDIN_FILENO);
  int controller_ = -1;
  int terminal_ = -1;
};

TEST_F(EchoOffTest, KeysAreNotShownWhileItLivesAndStillSendSignals) {
  const tcflag_t before = local_flags();
  ASSERT_TRUE(before & ECHO);
  {
    const EchoOff quiet;
    EXPECT_FALSE(local_flags() & ECHO);
    EXPECT_TRUE(local_flags() & ISIG);
  }
  EXPECT_EQ(local_flags(), before);
}

TEST_F(EchoOffTest, WithoutATerminalNothingHappens) {
  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  ::dup2(ends[0], STDIN_FILENO);
  {
    const EchoOff quiet;
  }
  EXPECT_TRUE(local_flags() & ECHO);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace carat::terminal
