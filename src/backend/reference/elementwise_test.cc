#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "backend/reference/ops.h"

namespace carat::backend::reference {
namespace {

// torch.nn.functional.gelu(x, approximate="tanh") in f64.
constexpr std::array<float, 9> kX = {-4, -1, -0.5F, 0, 0.5F, 1, 3, 20, -20};
constexpr std::array<double, 9> kGelu = {-7.024594819227126e-05,
                                         -0.15880800939172324,
                                         -0.15428599017485606,
                                         0.0,
                                         0.34571400982514394,
                                         0.8411919906082768,
                                         2.996362607918227,
                                         20.0,
                                         0.0};

TEST(ReferenceGelu, GivesTorchsNumbers) {
  std::array<float, 9> x = kX;
  gelu({x.data(), 3, 3});
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_NEAR(x[i], kGelu[i], std::abs(kGelu[i]) * 0x1p-24) << kX[i];
}

TEST(ReferenceGelu, IsLargeAndFiniteWhereTheCubeOverflowsF32) {
  std::array<float, 2> x = {1e20F, -1e20F};
  gelu({x.data(), 1, 2});
  EXPECT_EQ(x[0], 1e20F);
  EXPECT_EQ(x[1], 0.0F);
}

TEST(ReferenceGeglu, MultipliesTheActivatedGateByTheUpBranch) {
  std::array<float, 9> gate = kX;
  const std::array<float, 9> up = {1, 2, -3, 4, 5, -6, 0.5F, 2, 1};
  geglu({gate.data(), 1, 9}, {up.data(), 1, 9});
  for (std::size_t i = 0; i < gate.size(); ++i) {
    EXPECT_NEAR(gate[i], kGelu[i] * up[i], std::abs(kGelu[i] * up[i]) * 0x1p-24) << kX[i];
  }
}

TEST(ReferenceAdd, AddsEveryRow) {
  std::array<float, 6> x = {1, 2, -1, 3, 4, -1};
  const std::array<float, 4> y = {10, 20, 30, 40};
  add({x.data(), 2, 2, 3}, {y.data(), 2, 2});
  EXPECT_EQ(x, (std::array<float, 6>{11, 22, -1, 33, 44, -1}));
}

}  // namespace
}  // namespace carat::backend::reference
