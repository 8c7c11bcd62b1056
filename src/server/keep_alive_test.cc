#include "server/keep_alive.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <optional>

namespace carat::server {
namespace {

using namespace std::chrono_literals;
constexpr auto kForGood = std::chrono::nanoseconds::max();

TEST(KeepAliveTest, ReadsDurations) {
  EXPECT_EQ(parse_keep_alive("5m"), 5min);
  EXPECT_EQ(parse_keep_alive("1h30m"), 90min);
  EXPECT_EQ(parse_keep_alive("1.5h"), 90min);
  EXPECT_EQ(parse_keep_alive("250ms"), 250ms);
  EXPECT_EQ(parse_keep_alive("2s500ms"), 2500ms);
  EXPECT_EQ(parse_keep_alive("300"), 300s);
  EXPECT_EQ(parse_keep_alive("+3s"), 3s);
  EXPECT_EQ(parse_keep_alive("0"), 0s);
  EXPECT_EQ(parse_keep_alive("0s"), 0s);
  EXPECT_EQ(parse_keep_alive("-0s"), 0s);
}

TEST(KeepAliveTest, BelowZeroAndVeryLongIsForGood) {
  for (const char* text : {"-1", "-1s", "-5m", "9999999h", "99999999999999999999"})
    EXPECT_EQ(parse_keep_alive(text), kForGood) << text;
  EXPECT_EQ(keep_alive_seconds(-1), kForGood);
  EXPECT_EQ(keep_alive_seconds(std::numeric_limits<double>::infinity()), kForGood);
  EXPECT_EQ(keep_alive_seconds(std::numeric_limits<double>::quiet_NaN()), kForGood);
  EXPECT_EQ(keep_alive_seconds(0.5), 500ms);
}

TEST(KeepAliveTest, RefusesWhatIsNoDuration) {
  for (const char* text :
       {"", "-", "m", "5 m", "5m ", "5m3", "--1", "+-1", "1e3s", "5x", "nan", "infs", "0x10"})
    EXPECT_EQ(parse_keep_alive(text), std::nullopt) << text;
}

}  // namespace
}  // namespace carat::server
