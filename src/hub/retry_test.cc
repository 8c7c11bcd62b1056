#include "hub/retry.h"

#include <gtest/gtest.h>

namespace carat::hub {
namespace {

using std::chrono::seconds;

TEST(RetriesTest, WaitsLongerEachTimeAndGivesUp) {
  Retries retries;
  for (const int expected : {1, 2, 4, 8, 16, 32, 60}) EXPECT_EQ(retries.next(), seconds{expected});
  EXPECT_EQ(retries.next(), std::nullopt);
  retries.reset();
  EXPECT_EQ(retries.next(), seconds{1});
}

TEST(RetriesTest, WaitsAtLeastAsLongAsAskedButNotForever) {
  EXPECT_EQ(Retries().next(seconds{90}), seconds{90});
  EXPECT_EQ(Retries().next(seconds{0}), seconds{1});
  EXPECT_EQ(Retries().next(seconds{601}), std::nullopt);
}

TEST(RetriesTest, ReadsSeconds) {
  EXPECT_EQ(parse_retry_after("120"), seconds{120});
  for (const char* text : {"", "-1", "1.5", "9999999999", "Wed, 21 Oct 2026 07:28:00 GMT"}) {
    EXPECT_EQ(parse_retry_after(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_retry_after(std::nullopt), std::nullopt);
}

TEST(RealWaiterTest, AStopEndsIt) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(RealWaiter().wait(seconds{3600}, stop.get_token()).error().kind, ErrorKind::kInterrupted);
}

}  // namespace
}  // namespace carat::hub
