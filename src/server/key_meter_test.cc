#include "server/key_meter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>

namespace carat::server {
namespace {

using namespace std::chrono_literals;
using Limit = KeyMeter::Limit;

constexpr std::int64_t kMany = 1000;

class KeyMeterTest : public testing::Test {
 protected:
  void pass(std::chrono::nanoseconds time) {
    now_.steady += time;
    now_.wall += std::chrono::duration_cast<std::chrono::microseconds>(time);
  }
  // The limit that stands in the way of a request.
  std::optional<Limit> begin(KeyMeter& meter) {
    const auto refusal = meter.begin(now_, kMany);
    if (!refusal) return std::nullopt;
    wait_ = refusal->wait;
    return refusal->limit;
  }
  std::optional<Limit> reserve(KeyMeter& meter, std::int64_t tokens) {
    const auto refusal = meter.reserve(tokens, now_, reservation_);
    if (!refusal) return std::nullopt;
    wait_ = refusal->wait;
    return refusal->limit;
  }

  Moment now_{.steady = 1000h, .wall = WallTime(std::chrono::sys_days(std::chrono::days(20'000)) + 12h)};
  std::chrono::milliseconds wait_{};
  KeyMeter::Reservation reservation_;
};

TEST_F(KeyMeterTest, WithoutLimitsOnlyThoseAtATimeAreCounted) {
  KeyMeter meter({});
  for (int i = 0; i < kMany; ++i) EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_EQ(reserve(meter, 1'000'000'000), std::nullopt);
  EXPECT_EQ(begin(meter), Limit::kConcurrent);
  meter.end();
  EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_FALSE(meter.rests(now_).requests);
  EXPECT_FALSE(meter.rests(now_).tokens);
}

TEST_F(KeyMeterTest, RequestsComeBackEvenly) {
  KeyMeter meter({.requests_per_minute = 3});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_EQ(begin(meter), Limit::kRequests);
  EXPECT_EQ(wait_, 20s);
  pass(19s);
  EXPECT_EQ(begin(meter), Limit::kRequests);
  EXPECT_EQ(wait_, 1s);
  pass(1s);
  EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_EQ(begin(meter), Limit::kRequests);
  pass(24h);
  const auto rest = meter.rests(now_).requests;
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->most, 3);
  EXPECT_EQ(rest->left, 3) << "no more than a minute's worth is saved up";
  EXPECT_EQ(rest->full, 0s);
}

TEST_F(KeyMeterTest, RefusedRequestsTakeNothing) {
  KeyMeter meter({.requests_per_minute = 10, .concurrent_requests = 1});
  EXPECT_EQ(begin(meter), std::nullopt);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(begin(meter), Limit::kConcurrent);
  EXPECT_EQ(meter.rests(now_).requests->left, 9);
  EXPECT_EQ(meter.take_use().requests, 1);
}

TEST_F(KeyMeterTest, WhatIsReservedAndNotUsedComesBack) {
  KeyMeter meter({.tokens_per_minute = 600});
  EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_EQ(reserve(meter, 500), std::nullopt);
  EXPECT_EQ(meter.rests(now_).tokens->left, 100);
  KeyMeter::Reservation first = reservation_;
  EXPECT_EQ(reserve(meter, 101), Limit::kTokens);
  EXPECT_EQ(wait_, 100ms);
  meter.settle(first, 20, now_);
  EXPECT_EQ(meter.rests(now_).tokens->left, 580);
  EXPECT_EQ(meter.take_use().tokens, 20);
}

TEST_F(KeyMeterTest, WhatWasUsedBeyondAReservationIsOwed) {
  KeyMeter meter({.tokens_per_minute = 60});
  EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_EQ(reserve(meter, 10), std::nullopt);
  meter.settle(reservation_, 90, now_);
  EXPECT_EQ(meter.rests(now_).tokens->left, 0);
  EXPECT_EQ(begin(meter), Limit::kTokens);
  EXPECT_EQ(wait_, 31s);
  pass(31s);
  EXPECT_EQ(begin(meter), std::nullopt);
}

TEST_F(KeyMeterTest, ARequestForMoreThanAMinutesTokensIsAlone) {
  KeyMeter meter({.tokens_per_minute = 60});
  EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_EQ(reserve(meter, 5000), std::nullopt);
  EXPECT_EQ(begin(meter), Limit::kTokens);
  meter.settle(reservation_, 10, now_);
  EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_EQ(reserve(meter, 5000), Limit::kTokens);
  EXPECT_EQ(wait_, 10s);
}

TEST_F(KeyMeterTest, TheDayEndsAtMidnight) {
  KeyMeter meter({.tokens_per_day = 100});
  EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_EQ(reserve(meter, 5000), std::nullopt);
  EXPECT_EQ(begin(meter), Limit::kTokensOfDay) << "all of it is reserved";
  meter.settle(reservation_, 99, now_);
  EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_EQ(reserve(meter, 3), std::nullopt);
  meter.settle(reservation_, 3, now_);
  EXPECT_EQ(begin(meter), Limit::kTokensOfDay);
  EXPECT_EQ(wait_, 12h);
  pass(12h);
  static_cast<void>(meter.take_use());
  EXPECT_EQ(begin(meter), Limit::kTokensOfDay) << "until yesterday's use is recorded, it counts";
}

TEST_F(KeyMeterTest, RecordedUseCountsOnceAndSurvivesARestart) {
  const std::int64_t today = 20'000;
  KeyMeter meter({.tokens_per_day = 100});
  meter.set_recorded({.day = today, .usage = {.requests = 1, .tokens = 60}}, {});
  EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_EQ(reserve(meter, 30), std::nullopt);
  meter.settle(reservation_, 30, now_);
  const store::KeyUsage use = meter.take_use();
  EXPECT_EQ(use.tokens, 30);
  EXPECT_EQ(use.requests, 1);
  EXPECT_EQ(begin(meter), std::nullopt);
  meter.put_back(use);
  EXPECT_EQ(meter.take_use().tokens, 30);
  meter.set_recorded({.day = today, .usage = {.requests = 2, .tokens = 90}}, use);
  EXPECT_EQ(begin(meter), std::nullopt);
  // Another server with the same store.
  meter.set_recorded({.day = today, .usage = {.requests = 3, .tokens = 100}}, {});
  EXPECT_EQ(begin(meter), Limit::kTokensOfDay);
  pass(12h);
  EXPECT_EQ(begin(meter), std::nullopt);
}

TEST_F(KeyMeterTest, AClockThatGoesBackBeginsNoDayAnew) {
  KeyMeter meter({.tokens_per_day = 100});
  meter.set_recorded({.day = 20'000, .usage = {.requests = 0, .tokens = 100}}, {});
  now_.wall -= 48h;
  EXPECT_EQ(begin(meter), Limit::kTokensOfDay);
}

TEST_F(KeyMeterTest, NewLimitsHoldAtOnce) {
  KeyMeter meter({.requests_per_minute = 100});
  for (int i = 0; i < 50; ++i) EXPECT_EQ(begin(meter), std::nullopt);
  meter.set_limits({.requests_per_minute = 2});
  EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_EQ(begin(meter), std::nullopt);
  EXPECT_EQ(begin(meter), Limit::kRequests);
  meter.set_limits({});
  EXPECT_EQ(begin(meter), std::nullopt);
}

}  // namespace
}  // namespace carat::server
