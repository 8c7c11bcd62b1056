#pragma once

namespace carat {

// exp and log from additions, multiplications and divisions alone. The C library's differ in the last bit
// from one version to the next, and one bit can turn a sampled token into another. Within 2 ulp of the true
// value.

// 0 below about -745.2, infinity above about 709.8; NaN for NaN.
double portable_exp(double x);

// Natural logarithm. -infinity for 0, infinity for infinity, NaN below 0 and for NaN.
double portable_log(double x);

}  // namespace carat
