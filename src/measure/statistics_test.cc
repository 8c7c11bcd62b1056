#include "measure/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace carat::measure {
namespace {

TEST(Statistics, AgreeWithFiguresWorkedOutByHand) {
  const std::vector<double> samples = {4, 1, 9, 2};  // mean 4, squares 0 + 9 + 25 + 4
  EXPECT_DOUBLE_EQ(mean(samples), 4);
  EXPECT_DOUBLE_EQ(standard_deviation(samples), std::sqrt(38.0 / 3.0));
  EXPECT_DOUBLE_EQ(median(samples), 3);
}

TEST(Statistics, MedianOfAnOddCountIsTheMiddleOne) {
  EXPECT_DOUBLE_EQ(median(std::vector<double>{7, -1, 3}), 3);
}

TEST(Statistics, OneSampleHasNoDeviation) {
  const std::vector<double> one = {5};
  EXPECT_DOUBLE_EQ(mean(one), 5);
  EXPECT_DOUBLE_EQ(standard_deviation(one), 0);
  EXPECT_DOUBLE_EQ(median(one), 5);
}

TEST(Statistics, DeviationOfLargeNearlyEqualSamplesDoesNotCancel) {
  EXPECT_NEAR(standard_deviation(std::vector<double>{1e9 + 1, 1e9 + 2, 1e9 + 3}), 1.0, 1e-6);
}

}  // namespace
}  // namespace carat::measure
