#pragma once

// What tests of numeric code share: matrices with guards around every row, and the comparisons.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "tensor/matrix.h"

namespace carat::tensor {

// The largest relative error of one f32 operation: half a unit in the last place of 1.
inline constexpr double kRounding = 0x1p-24;

// Rows of f32 that start off every vector boundary, with guards before, between and after them. Guards and
// elements not yet written are NaN, so that reading one shows in the result.
class GuardedMatrix {
 public:
  GuardedMatrix(std::size_t rows, std::size_t columns)
      : rows_(rows),
        columns_(columns),
        storage_(kGuard + rows * (columns + kGuard), std::bit_cast<float>(kGuardBits)) {}

  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  MatrixF32 view() { return {storage_.data() + kGuard, rows_, columns_, columns_ + kGuard}; }
  ConstMatrixF32 view() const { return {storage_.data() + kGuard, rows_, columns_, columns_ + kGuard}; }
  std::span<float> row(std::size_t r) { return view().row(r); }
  std::span<const float> row(std::size_t r) const { return view().row(r); }
  float* data() { return view().data(); }
  const float* data() const { return view().data(); }

  bool guards_intact() const {
    for (std::size_t i = 0; i < storage_.size(); ++i) {
      const bool inside = i >= kGuard && (i - kGuard) % (columns_ + kGuard) < columns_;
      if (!inside && std::bit_cast<std::uint32_t>(storage_[i]) != kGuardBits) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kGuard = 17;  // a whole vector and one float
  static constexpr std::uint32_t kGuardBits = 0x7FA5A5A5;

  std::size_t rows_;
  std::size_t columns_;
  std::vector<float> storage_;
};

// Normally distributed values, times `scale`.
inline GuardedMatrix random_matrix(std::size_t rows, std::size_t columns, std::uint64_t seed,
                                   float scale = 1.0F) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0.0F, scale);
  GuardedMatrix matrix(rows, columns);
  for (std::size_t r = 0; r < rows; ++r) {
    for (float& value : matrix.row(r)) value = normal(random);
  }
  return matrix;
}

// What the oracle says of one value, and how far rounding may take the tested one from it.
struct Expected {
  double value = 0.0;
  double error = 0.0;
};

inline bool is_within(float actual, const Expected& expected) {
  if (std::isnan(actual) || std::isnan(expected.value)) return false;
  if (std::isinf(actual) || std::isinf(expected.value)) return actual == expected.value;
  return std::fabs(actual - expected.value) <= expected.error;
}

// `expected` holds the rows of `actual` one after another. NaN always fails; infinities match by sign.
inline testing::AssertionResult all_within(ConstMatrixF32 actual, std::span<const Expected> expected) {
  if (expected.size() != actual.rows() * actual.columns())
    return testing::AssertionFailure() << "the oracle has another shape";
  for (std::size_t r = 0; r < actual.rows(); ++r) {
    for (std::size_t c = 0; c < actual.columns(); ++c) {
      const Expected& wanted = expected[r * actual.columns() + c];
      if (is_within(actual(r, c), wanted)) continue;
      return testing::AssertionFailure() << "[" << r << ", " << c << "] is " << actual(r, c) << ", expected "
                                         << wanted.value << " within " << wanted.error;
    }
  }
  return testing::AssertionSuccess();
}

// The same bits everywhere, and no NaN.
inline testing::AssertionResult bits_equal(ConstMatrixF32 actual, ConstMatrixF32 expected) {
  if (actual.rows() != expected.rows() || actual.columns() != expected.columns())
    return testing::AssertionFailure() << "shapes differ";
  for (std::size_t r = 0; r < actual.rows(); ++r) {
    for (std::size_t c = 0; c < actual.columns(); ++c) {
      const auto bits = std::bit_cast<std::uint32_t>(actual(r, c));
      if (bits == std::bit_cast<std::uint32_t>(expected(r, c)) && !std::isnan(actual(r, c))) continue;
      return testing::AssertionFailure()
             << "[" << r << ", " << c << "] is " << actual(r, c) << ", expected " << expected(r, c)
             << ", a difference of " << actual(r, c) - expected(r, c);
    }
  }
  return testing::AssertionSuccess();
}

inline testing::AssertionResult bits_equal(std::span<const float> actual, std::span<const float> expected) {
  return bits_equal(ConstMatrixF32(actual.data(), 1, actual.size()),
                    ConstMatrixF32(expected.data(), 1, expected.size()));
}

}  // namespace carat::tensor
