#include "terminal/transfer_rate.h"

#include <gtest/gtest.h>

namespace carat::terminal {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

class FakeClock final : public Clock {
 public:
  std::chrono::nanoseconds now() const override { return time; }
  std::chrono::nanoseconds time{0};
};

TEST(TransferRateTest, SaysNothingAboutTheRateAtFirst) {
  FakeClock clock;
  TransferRate rate(clock);
  EXPECT_EQ(rate.describe(5'000'000), "0.0 MB of 5.0 MB");
  rate.update(1'000'000);
  clock.time = 999ms;
  rate.update(2'000'000);
  EXPECT_EQ(rate.describe(5'000'000), "2.0 MB of 5.0 MB");
}

TEST(TransferRateTest, CountsWhatCameAndNotWhatWasThere) {
  FakeClock clock;
  TransferRate rate(clock);
  rate.update(1'000'000'000);
  clock.time = 2s;
  rate.update(1'020'000'000);
  EXPECT_EQ(rate.describe(3'300'000'000), "1.0 GB of 3.3 GB, 10.0 MB/s, 4 min left");
}

TEST(TransferRateTest, ForgetsWhatWasMoreThanTenSecondsAgo) {
  FakeClock clock;
  TransferRate rate(clock);
  std::uint64_t done = 0;
  for (int step = 0; step < 100'000; ++step) {
    rate.update(done);
    clock.time += 1ms;
    done += step < 50'000 ? 1'000'000 : 2'000;
  }
  EXPECT_NEAR(*rate.bytes_per_second(), 2e6, 1e4);
}

TEST(TransferRateTest, AnAttemptThatBeginsAnewIsNoNegativeRate) {
  FakeClock clock;
  TransferRate rate(clock);
  rate.update(5'000'000);
  clock.time = 5s;
  rate.update(0);
  EXPECT_EQ(rate.describe(5'000'000), "0.0 MB of 5.0 MB");
}

}  // namespace
}  // namespace carat::terminal
