#include "measure/machine_limits.h"

#include <gtest/gtest.h>

namespace carat::measure {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

TEST(MachineLimits, SamplesGiveRatesForTheWorkingSetsAskedFor) {
  LimitMeter meter = LimitMeter::make(/*threads=*/2, 8 * kMiB, 3 * kMiB + 1).value();
  meter.take_sample();
  meter.take_sample();
  const MachineLimits limits = meter.medians();
  EXPECT_EQ(limits.memory_working_set, 8 * kMiB);
  EXPECT_EQ(limits.model_working_set, 3 * kMiB + 4096);
  EXPECT_EQ(limits.loops, best_limit_loops().name);
  // Speeds are not asserted, only that time was measured in seconds and work in bytes and operations.
  for (const double rate : {limits.memory_bytes_per_second, limits.model_bytes_per_second,
                            limits.dot_ops_per_second, limits.f32_ops_per_second}) {
    EXPECT_GT(rate, 1e6);
    EXPECT_LT(rate, 1e17);
  }
}

TEST(MachineLimits, ModelsBeyondTheMemorysWorkingSetAreMeasuredOverThat) {
  LimitMeter meter = LimitMeter::make(1, kMiB, SIZE_MAX / 2).value();
  meter.take_sample();
  EXPECT_EQ(meter.medians().model_working_set, kMiB);
}

TEST(MachineLimits, WorkingSetIsAtMostOneGibibyte) {
  EXPECT_GT(memory_working_set(), 0U);
  EXPECT_LE(memory_working_set(), 1024 * kMiB);
}

}  // namespace
}  // namespace carat::measure
