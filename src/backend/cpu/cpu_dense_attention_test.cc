// Attention of all rows over all rows, against the f64 reference, at the level that runs the tests.

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "backend/cpu/test_cpu_backend.h"
#include "backend/reference/reference_backend.h"
#include "kernels/dense_layout.h"
#include "kernels/levels.h"
#include "tensor/test_matrix.h"

namespace carat::backend {
namespace {

using kernels::kDenseKeys;
using kernels::kDenseQueries;
using tensor::bits_equal;
using tensor::GuardedMatrix;
using tensor::random_matrix;

constexpr Rounding kRoundings[] = {Rounding::kF32, Rounding::kBf16, Rounding::kInt8};

struct Inputs {
  GuardedMatrix q, k, v;
  std::size_t heads;
};

// Scores have a standard deviation of `spread`. The keys share an offset, as those of a layer with a bias do.
Inputs random_inputs(std::size_t tokens, std::size_t heads, std::size_t head_dim, float spread) {
  const std::size_t columns = heads * head_dim;
  Inputs inputs = {random_matrix(tokens, columns, 1, spread / std::sqrt(static_cast<float>(head_dim))),
                   random_matrix(tokens, columns, 2), random_matrix(tokens, columns, 3), heads};
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t c = 0; c < columns; ++c) inputs.k.row(t)[c] += static_cast<float>(c % 5);
  }
  return inputs;
}

GuardedMatrix attended(Backend& backend, const Inputs& inputs, Rounding rounding) {
  GuardedMatrix out(inputs.q.rows(), inputs.q.columns());
  backend.dense_attention(inputs.q.view(), inputs.k.view(), inputs.v.view(), inputs.heads, rounding,
                          out.view());
  EXPECT_TRUE(out.guards_intact());
  return out;
}

// The root of the mean squared error over that of the values; NaN where one is.
double relative_error(const GuardedMatrix& actual, const GuardedMatrix& wanted) {
  double error = 0.0;
  double size = 0.0;
  for (std::size_t r = 0; r < wanted.rows(); ++r) {
    for (std::size_t c = 0; c < wanted.columns(); ++c) {
      const double difference = static_cast<double>(actual.row(r)[c]) - static_cast<double>(wanted.row(r)[c]);
      error += difference * difference;
      size += static_cast<double>(wanted.row(r)[c]) * static_cast<double>(wanted.row(r)[c]);
    }
  }
  return std::sqrt(error / size);
}

// f32: some head_dim roundings of scores of order 10. bfloat16 keeps 8 bits: each of the four roundings is of
// 2^-9, and those of scores count times their size. int8: rows of 72 normal values have a maximum of 2.7
// deviations, so that a step is 2.1% of a deviation and its rounding 0.6%. What is misplaced shows at 1.
double bound(Rounding rounding, float spread) {
  switch (rounding) {
    case Rounding::kF32: return 1e-5;
    case Rounding::kBf16: return 0.008 * (1.0 + static_cast<double>(spread));
    case Rounding::kInt8: return 0.02 * (1.0 + static_cast<double>(spread));
  }
  return 0.0;
}

void check(std::size_t tokens, std::size_t heads, std::size_t head_dim, float spread) {
  SCOPED_TRACE(testing::Message() << tokens << " tokens, " << heads << " heads of " << head_dim << ", spread "
                                  << spread);
  const Inputs inputs = random_inputs(tokens, heads, head_dim, spread);
  const GuardedMatrix wanted = attended(*make_reference_backend(), inputs, Rounding::kF32);
  for (const Rounding rounding : kRoundings) {
    SCOPED_TRACE(static_cast<int>(rounding));
    const GuardedMatrix serial = attended(*cpu_backend(1), inputs, rounding);
    EXPECT_LT(relative_error(serial, wanted), bound(rounding, spread));
    for (const std::size_t threads : {2, 5})
      EXPECT_TRUE(bits_equal(attended(*cpu_backend(threads), inputs, rounding).view(), serial.view()));
    Inputs in_place = inputs;
    cpu_backend(2)->dense_attention(in_place.q.view(), in_place.k.view(), in_place.v.view(), heads, rounding,
                                    in_place.q.view());
    EXPECT_TRUE(bits_equal(in_place.q.view(), serial.view()));
    EXPECT_TRUE(in_place.q.guards_intact());
  }
}

TEST(CpuDenseAttention, AwkwardNumbersOfTokens) {
  for (const std::size_t tokens :
       {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, kDenseQueries - 1, kDenseQueries,
        kDenseQueries + 1, kDenseKeys - 1, kDenseKeys, kDenseKeys + 1, kDenseKeys + 5, 2 * kDenseKeys + 33}) {
    check(tokens, 2, 72, 1.0F);
  }
}

TEST(CpuDenseAttention, AwkwardHeads) {
  for (const std::size_t head_dim : {1, 2, 5, 8, 15, 16, 17, 24, 80, 128}) check(50, 3, head_dim, 1.0F);
}

// From equal weights to a single key that takes all.
TEST(CpuDenseAttention, FlatAndSharpWeights) {
  for (const float spread : {0.0F, 0.1F, 4.0F, 30.0F}) check(300, 1, 72, spread);
}

// A query's result is the same whatever the other queries are.
TEST(CpuDenseAttention, QueriesDoNotMeet) {
  Inputs inputs = random_inputs(100, 2, 72, 2.0F);
  for (const Rounding rounding : kRoundings) {
    const GuardedMatrix before = attended(*cpu_backend(2), inputs, rounding);
    Inputs other = inputs;
    for (std::size_t t = 0; t < 100; ++t) {
      for (float& value : other.q.row(t)) value = t == 41 ? value : 100.0F - 3.0F * value;
    }
    const GuardedMatrix after = attended(*cpu_backend(2), other, rounding);
    EXPECT_TRUE(bits_equal(after.row(41), before.row(41)));
  }
}

// Zeros have no scale, and huge scores no exponential: means and choices remain.
TEST(CpuDenseAttention, ZerosAndHugeScores) {
  Inputs inputs = random_inputs(40, 1, 8, 1.0F);
  for (std::size_t t = 0; t < 40; ++t) {
    for (std::size_t d = 0; d < 8; ++d) {
      inputs.q.row(t)[d] = t < 20 ? 0.0F : d == 0 ? 1e5F : 0.0F;
      inputs.k.row(t)[d] = d == 0 ? static_cast<float>(t) : 0.0F;
      inputs.v.row(t)[d] = d < 4 ? 0.0F : static_cast<float>(t + 1);
    }
  }
  for (const Rounding rounding : kRoundings) {
    const GuardedMatrix out = attended(*cpu_backend(2), inputs, rounding);
    for (std::size_t d = 0; d < 8; ++d) {
      EXPECT_NEAR(out.row(0)[d], d < 4 ? 0.0F : 20.5F, 0.2F);
      EXPECT_NEAR(out.row(39)[d], d < 4 ? 0.0F : 40.0F, 0.2F);
    }
  }
}

TEST(CpuDenseAttention, NoRowsAreNoWork) {
  GuardedMatrix q(0, 8);
  cpu_backend(2)->dense_attention(q.view(), q.view(), q.view(), 1, Rounding::kInt8, q.view());
}

// Every level that this machine has, to the bit, but for bfloat16 where it has instructions of its own.
TEST(CpuDenseAttention, LevelsAgreeToTheBit) {
  const Inputs inputs = random_inputs(kDenseKeys + 40, 2, 72, 2.0F);
  const GuardedMatrix wanted_f32 = attended(**make_cpu_backend({.level = "scalar"}), inputs, Rounding::kF32);
  const GuardedMatrix wanted_int8 =
      attended(**make_cpu_backend({.level = "scalar"}), inputs, Rounding::kInt8);
  for (const kernels::Level& level : kernels::levels()) {
    if (!level.available) continue;
    SCOPED_TRACE(level.name);
    const auto backend = make_cpu_backend({.level = std::string(level.name)});
    ASSERT_TRUE(backend);
    EXPECT_TRUE(bits_equal(attended(**backend, inputs, Rounding::kF32).view(), wanted_f32.view()));
    EXPECT_TRUE(bits_equal(attended(**backend, inputs, Rounding::kInt8).view(), wanted_int8.view()));
    const GuardedMatrix bf16 = attended(**backend, inputs, Rounding::kBf16);
    EXPECT_EQ(bool(bits_equal(bf16.view(), wanted_f32.view())), level.integer_exact);
  }
}

}  // namespace
}  // namespace carat::backend
