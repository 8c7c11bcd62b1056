#include "tensor/matrix.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "tensor/test_matrix.h"

namespace carat::tensor {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Matrix, SlicesShareTheElements) {
  std::vector<float> data(12);
  const MatrixF32 whole(data.data(), 3, 3, 4);
  whole(2, 1) = 5.0F;
  EXPECT_EQ(data[9], 5.0F);
  EXPECT_EQ(whole.slice_rows(1, 2)(1, 1), 5.0F);
  EXPECT_EQ(whole.slice_columns(1, 2)(2, 0), 5.0F);
  EXPECT_EQ(whole.slice_columns(1, 2).row(2).size(), 2u);
  EXPECT_EQ(whole.slice_rows(3, 0).rows(), 0u);
  const ConstMatrixF32 readable = whole;
  EXPECT_EQ(readable.row(2)[1], 5.0F);
}

TEST(MatrixDeathTest, RefusesSlicesBeyondTheMatrix) {
  std::vector<float> data(12);
  const MatrixF32 whole(data.data(), 3, 4);
  EXPECT_DEATH(whole.slice_rows(2, 2), "first <= rows_");
  EXPECT_DEATH(whole.slice_rows(1, SIZE_MAX), "first <= rows_");
  EXPECT_DEATH(whole.slice_columns(5, 0), "first <= columns_");
  EXPECT_DEATH(MatrixF32(data.data(), 3, 4, 3), "stride >= columns");
}

TEST(OwnedMatrix, IsZeroedAlignedAndPadded) {
  for (std::size_t columns = 1; columns <= 33; ++columns) {
    OwnedMatrixF32 matrix(3, columns);
    const MatrixF32 view = matrix.view();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.row(2).data()) % 64, 0u);
    for (std::size_t r = 0; r < 3; ++r) {
      for (const float value : view.row(r)) EXPECT_EQ(value, 0.0F);
    }
  }
}

TEST(OwnedMatrix, KeepsItsStorageForSmallerShapes) {
  OwnedMatrixF32 matrix(8, 100);
  const float* const data = matrix.view().data();
  const MatrixF32 smaller = matrix.resized(50, 9);
  EXPECT_EQ(smaller.data(), data);
  EXPECT_EQ(smaller.rows(), 50u);
  EXPECT_EQ(smaller.columns(), 9u);
  matrix.resized(8, 100).row(7)[99] = 1.0F;
  EXPECT_EQ(matrix.resized(9, 113).row(8)[112], 0.0F);  // grown: zeroed
}

// The comparisons that other tests rest on.
TEST(TestMatrix, ComparisonsSeeWhatIsWrong) {
  GuardedMatrix a(2, 2);
  EXPECT_FALSE(all_within(a.view(), std::vector<Expected>(4, {0.0, 1e30})));  // not yet written: NaN
  for (std::size_t r = 0; r < 2; ++r) {
    for (float& value : a.row(r)) value = 1.0F;
  }
  std::vector<Expected> expected(4, {1.25, 0.25});
  EXPECT_TRUE(all_within(a.view(), expected));
  EXPECT_FALSE(all_within(a.view(), std::span(expected).first(3)));
  expected[3].error = 0.2;
  EXPECT_FALSE(all_within(a.view(), expected));

  EXPECT_TRUE(is_within(-kInfinity, {-kInfinity, 0.0}));
  EXPECT_FALSE(is_within(kInfinity, {-kInfinity, kInfinity}));
  EXPECT_FALSE(is_within(kInfinity, {1e38, kInfinity}));
  EXPECT_FALSE(is_within(kNan, {kNan, kInfinity}));

  const GuardedMatrix b = a;
  EXPECT_TRUE(bits_equal(a.view(), b.view()));
  a.row(1)[1] = 1.0000001F;
  EXPECT_FALSE(bits_equal(a.view(), b.view()));
  a.row(1)[1] = kNan;
  EXPECT_FALSE(bits_equal(a.view(), a.view()));

  EXPECT_TRUE(a.guards_intact());
  for (const std::ptrdiff_t outside : {-1, 2, 20, 21}) {
    GuardedMatrix broken = b;
    broken.data()[outside] = 0.0F;
    EXPECT_EQ(broken.guards_intact(), outside == 20) << outside;  // row 1 begins 2 + 17 floats later
  }
}

}  // namespace
}  // namespace carat::tensor
