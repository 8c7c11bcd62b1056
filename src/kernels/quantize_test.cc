// f32 activations to int8 blocks: what each level stores, against the definition.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/test_activations.h"
#include "kernels/test_levels.h"
#include "tensor/test_matrix.h"

namespace carat::kernels {
namespace {

using tensor::GuardedMatrix;
using tensor::kRounding;
using tensor::random_matrix;

class QuantizeTest : public LevelTest {};

double largest_magnitude(std::span<const float> x) {
  double largest = 0.0;
  for (const float value : x) largest = std::max(largest, std::fabs(static_cast<double>(value)));
  return largest;
}

// scale = max |x| / 127; each code is the nearest integer to x / scale, up to the three roundings of a
// quotient that is computed as x * (127 / max), below 128 * 3 * 2^-24 = 2.3e-5 of a step.
void check_block(std::span<const float> x, const ActivationBlock& block, std::span<const float> residual) {
  const double scale = largest_magnitude(x) / 127.0;
  EXPECT_NEAR(block.scale, scale, scale * kRounding);
  int sums[2] = {0, 0};
  for (std::size_t c = 0; c < 32; ++c) {
    const int code = activation_code(block, c);
    EXPECT_LE(std::abs(code), 127);
    EXPECT_LE(std::fabs(x[c] - scale * code), scale * (0.5 + 2.3e-5)) << c;
    sums[c / 16] += code;
    // Fused: the exact difference, rounded once.
    const double rest = x[c] - static_cast<double>(block.scale) * code;
    EXPECT_NEAR(residual[c], rest, std::fabs(rest) * kRounding) << c;
  }
  EXPECT_EQ(block.neg_sum, -(sums[0] + sums[1]));
  EXPECT_EQ(block.scaled_sum, block.scale * static_cast<float>(sums[0] + sums[1]));
  for (int half = 0; half < 2; ++half) {
    EXPECT_EQ(block.neg_half_sums[half], -sums[half]);
    EXPECT_EQ(block.scaled_half_sums[half], block.scale * static_cast<float>(sums[half]));
  }
}

bool same_bytes(const ActivationBlock& a, const ActivationBlock& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

TEST_P(QuantizeTest, BlocksAreWhatTheDefinitionSays) {
  for (const std::size_t columns : {32, 64, 96, 640, 2048}) {
    for (const float magnitude : {1e-30F, 1e-3F, 1.0F, 300.0F, 1e30F}) {
      SCOPED_TRACE(testing::Message() << columns << " columns around " << magnitude);
      const GuardedMatrix x = random_matrix(1, columns, columns, magnitude);
      const std::size_t blocks = columns / 32;
      for (const std::size_t stride : {std::size_t{1}, std::size_t{3}, std::size_t{8}}) {
        ActivationBlock untouched;
        std::memset(static_cast<void*>(&untouched), 0xA5, sizeof untouched);
        std::vector<ActivationBlock> out(blocks * stride, untouched);
        std::vector<ActivationBlock> scalar = out;
        GuardedMatrix residual(1, columns);
        kernels().quantize(x.data(), columns, out.data(), stride, residual.data());
        scalar_kernels().quantize(x.data(), columns, scalar.data(), stride, nullptr);
        EXPECT_TRUE(residual.guards_intact());
        for (std::size_t i = 0; i < out.size(); ++i) {
          ASSERT_TRUE(same_bytes(out[i], scalar[i])) << "block " << i;
          if (i % stride != 0) {
            ASSERT_TRUE(same_bytes(out[i], untouched)) << "block " << i;
            continue;
          }
          const std::size_t first = i / stride * 32;
          check_block(x.row(0).subspan(first, 32), out[i], residual.row(0).subspan(first, 32));
        }
      }
    }
  }
}

TEST_P(QuantizeTest, ResidualMayBeLeftOutAndIsTheSameAtEveryLevel) {
  const GuardedMatrix x = random_matrix(1, 64, 5);
  ActivationBlock with[2] = {};
  ActivationBlock without[2] = {};
  GuardedMatrix residual(1, 64);
  GuardedMatrix scalar_residual(1, 64);
  kernels().quantize(x.data(), 64, with, 1, residual.data());
  kernels().quantize(x.data(), 64, without, 1, nullptr);
  EXPECT_TRUE(same_bytes(with[0], without[0]) && same_bytes(with[1], without[1]));
  scalar_kernels().quantize(x.data(), 64, with, 1, scalar_residual.data());
  EXPECT_TRUE(tensor::bits_equal(residual.view(), scalar_residual.view()));
}

TEST_P(QuantizeTest, TheLargestMagnitudeBecomes127EvenAtTheEndsOfTheRange) {
  for (const float largest : {1.1e-36F, 1e-20F, 0.1F, 1.0F, 127.0F, 1e20F, 3.4028235e38F}) {
    for (std::size_t at = 0; at < 32; ++at) {
      GuardedMatrix x(1, 32);
      std::ranges::fill(x.row(0), 0.0F);
      x.row(0)[at] = at % 2 == 0 ? largest : -largest;
      ActivationBlock block;
      GuardedMatrix residual(1, 32);
      kernels().quantize(x.data(), 32, &block, 1, residual.data());
      for (std::size_t c = 0; c < 32; ++c) {
        EXPECT_EQ(activation_code(block, c), c != at       ? 0
                                             : at % 2 == 0 ? 127
                                                           : -127)
            << largest << " at " << at;
      }
    }
  }
}

TEST_P(QuantizeTest, TiesGoToTheEvenCode) {
  GuardedMatrix x(1, 32);
  for (std::size_t c = 0; c < 32; ++c) x.row(0)[c] = static_cast<float>(c) - 15.5F;
  x.row(0)[31] = 127.0F;  // scale 1
  ActivationBlock block;
  kernels().quantize(x.data(), 32, &block, 1, nullptr);
  EXPECT_EQ(block.scale, 1.0F);
  for (std::size_t c = 0; c < 31; ++c) {
    EXPECT_EQ(activation_code(block, c) % 2, 0) << c;
    EXPECT_EQ(std::fabs(x.row(0)[c] - static_cast<float>(activation_code(block, c))), 0.5F) << c;
  }
}

// Zeros, and magnitudes whose scale would have no finite inverse: all codes are 0, nothing is NaN, and the
// residual keeps the values.
TEST_P(QuantizeTest, ZeroAndDenormalBlocksAreZero) {
  for (const float value : {0.0F, -0.0F, 1e-45F, 1e-40F, -1e-38F, 9e-37F}) {
    GuardedMatrix x(1, 32);
    std::ranges::fill(x.row(0), value);
    ActivationBlock block;
    GuardedMatrix residual(1, 32);
    kernels().quantize(x.data(), 32, &block, 1, residual.data());
    ActivationBlock zero = {};
    EXPECT_EQ(block.scale, 0.0F);
    EXPECT_EQ(std::memcmp(block.quads, zero.quads, sizeof zero.quads), 0);
    EXPECT_EQ(block.neg_sum, 0);
    EXPECT_EQ(block.scaled_sum, 0.0F);
    for (const float rest : residual.row(0)) EXPECT_EQ(rest, value);
  }
}

CARAT_TEST_ALL_LEVELS(QuantizeTest);

}  // namespace
}  // namespace carat::kernels
