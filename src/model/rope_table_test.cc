#include "model/rope_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "tensor/test_matrix.h"

namespace carat::model {
namespace {

using tensor::Expected;
using tensor::GuardedMatrix;

constexpr std::size_t kMaxContext = 131'072;

const std::vector<std::uint32_t> kPositions = {0,   1,   2,      255,    256,    257,     511,     512,
                                               513, 999, 32'767, 32'768, 65'535, 100'003, 130'999, 131'071};

// An angle reaches 131,071 radians, where an f64 is good to 1.5e-11; each value is the sum of two products of
// tabulated ones, rounded once to f32.
TEST(RopeTable, AgreesWithTheDefinitionUpToTheLastPosition) {
  struct Shape {
    double theta, factor;
    std::size_t head_dim;
  };
  for (const Shape& shape : {Shape{1e4, 1.0, 256}, Shape{1e6, 1.0, 256}, Shape{1e6, 8.0, 128},
                             Shape{1e4, 1.0, 72}, Shape{1e4, 1.0, 2}, Shape{1e6, 8.0, 6}}) {
    SCOPED_TRACE(testing::Message() << shape.theta << " " << shape.factor << " " << shape.head_dim);
    const RopeTable table(shape.theta, shape.factor, shape.head_dim, kMaxContext);
    const std::size_t half = shape.head_dim / 2;
    GuardedMatrix cos(kPositions.size(), half);
    GuardedMatrix sin(kPositions.size(), half);
    table.fill(kPositions, cos.view(), sin.view());
    std::vector<Expected> expected_cos;
    std::vector<Expected> expected_sin;
    for (const std::uint32_t position : kPositions) {
      for (std::size_t i = 0; i < half; ++i) {
        const long double exponent =
            -2.0L * static_cast<long double>(i) / static_cast<long double>(shape.head_dim);
        const long double angle = position / static_cast<long double>(shape.factor) *
                                  std::pow(static_cast<long double>(shape.theta), exponent);
        const auto c = static_cast<double>(std::cos(angle));
        const auto s = static_cast<double>(std::sin(angle));
        expected_cos.push_back({c, std::fabs(c) * tensor::kRounding + 1e-10});
        expected_sin.push_back({s, std::fabs(s) * tensor::kRounding + 1e-10});
      }
    }
    EXPECT_TRUE(all_within(cos.view(), expected_cos));
    EXPECT_TRUE(all_within(sin.view(), expected_sin));
    EXPECT_TRUE(cos.guards_intact() && sin.guards_intact());
  }
}

TEST(RopeTable, ARowDependsOnItsPositionAlone) {
  const RopeTable table(1e6, 8.0, 24, 1000);
  const std::vector<std::uint32_t> positions = {700, 3, 3, 999};
  GuardedMatrix cos(4, 12);
  GuardedMatrix sin(4, 12);
  table.fill(positions, cos.view(), sin.view());
  for (std::size_t t = 0; t < 4; ++t) {
    GuardedMatrix one_cos(1, 12);
    GuardedMatrix one_sin(1, 12);
    table.fill(std::span(positions).subspan(t, 1), one_cos.view(), one_sin.view());
    EXPECT_TRUE(tensor::bits_equal(one_cos.row(0), cos.row(t)));
    EXPECT_TRUE(tensor::bits_equal(one_sin.row(0), sin.row(t)));
  }
}

TEST(RopeTableDeathTest, RefusesPositionsBeyondTheContext) {
  const RopeTable table(1e4, 1.0, 4, 512);
  GuardedMatrix cos(1, 2);
  GuardedMatrix sin(1, 2);
  const std::vector<std::uint32_t> first_beyond = {512};
  const std::vector<std::uint32_t> far_beyond = {UINT32_MAX};
  EXPECT_DEATH(table.fill(first_beyond, cos.view(), sin.view()), "coarse_");
  EXPECT_DEATH(table.fill(far_beyond, cos.view(), sin.view()), "coarse_");
}

}  // namespace
}  // namespace carat::model
