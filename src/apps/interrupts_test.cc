#include "apps/interrupts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

namespace carat::apps {
namespace {

// The stop is requested by another thread: waits for it without a time limit of its own.
void wait_for(const std::stop_token& token) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, token, [] { return false; });
  EXPECT_TRUE(token.stop_requested());
}

TEST(Interrupts, CtrlCRequestsAStop) {
  Interrupts interrupts;
  const std::stop_token token = interrupts.token();
  EXPECT_FALSE(token.stop_requested());
  ::raise(SIGINT);
  wait_for(token);
}

TEST(Interrupts, SigtermAndSighupStopForGood) {
  for (const int signal : {SIGTERM, SIGHUP}) {
    Interrupts interrupts;
    EXPECT_EQ(Interrupts::end_signal(), 0);
    const std::stop_token token = interrupts.token();
    ::raise(signal);
    wait_for(token);
    EXPECT_EQ(Interrupts::end_signal(), signal);
    EXPECT_TRUE(interrupts.renew().stop_requested());
  }
}

TEST(InterruptsDeathTest, TheSecondSigtermKills) {
  EXPECT_EXIT(
      {
        Interrupts interrupts;
        ::raise(SIGTERM);
        ::raise(SIGTERM);
        ::_exit(0);
      },
      testing::ExitedWithCode(143), "");
}

TEST(InterruptsDeathTest, AnIgnoredSighupStaysIgnored) {
  EXPECT_EXIT(
      {
        std::signal(SIGHUP, SIG_IGN);
        Interrupts interrupts;
        ::raise(SIGHUP);
        ::_exit(interrupts.token().stop_requested() || Interrupts::end_signal() != 0 ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(Interrupts, EachTokenHasItsOwnPresses) {
  Interrupts interrupts;
  for (int i = 0; i < 3; ++i) {
    const std::stop_token token = interrupts.renew();
    EXPECT_FALSE(token.stop_requested());
    ::raise(SIGINT);
    wait_for(token);
  }
}

TEST(InterruptsDeathTest, TheSecondPressKills) {
  EXPECT_EXIT(
      {
        Interrupts interrupts;
        ::raise(SIGINT);
        ::raise(SIGINT);
        ::_exit(0);
      },
      testing::ExitedWithCode(130), "");
}

TEST(InterruptsDeathTest, AChatTakesMorePresses) {
  EXPECT_EXIT(
      {
        Interrupts interrupts;
        interrupts.kill_after(3);
        ::raise(SIGINT);
        ::raise(SIGINT);
        ::_exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace carat::apps
