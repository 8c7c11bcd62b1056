#pragma once

#include <span>

namespace carat::measure {

// All CHECK that there is a sample.
double mean(std::span<const double> samples);
// Of the samples, with n - 1 in the denominator; 0 for a single one.
double standard_deviation(std::span<const double> samples);
// The mean of the middle two for an even count.
double median(std::span<const double> samples);

}  // namespace carat::measure
