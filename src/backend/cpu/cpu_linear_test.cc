// Linear layers of the processor backend against the f64 reference, and to the bit against themselves.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "backend/cpu/test_cpu_backend.h"
#include "backend/reference/reference_backend.h"
#include "tensor/dequantize.h"
#include "tensor/half.h"
#include "tensor/test_matrix.h"

namespace carat::backend {
namespace {

using tensor::bits_equal;
using tensor::ElementType;
using tensor::Expected;
using tensor::GuardedMatrix;
using tensor::kRounding;
using tensor::random_matrix;
using tensor::random_stored_rows;

// How finely a row of activations is represented.
enum class Precision { kOneTerm, kTwoTerms };

// What the processor backend may differ by from `reference`, a product of x and `weight` in f64.
//
// Quantized weights: an activation is off by at most half a step of its block of 32, step = max / 127, and by
// 254 times less where a second term holds what the first left. Those errors are independent and uniform, so
// their sum has the variance sum (w step)^2 / 12; six standard deviations. Float weights: activations are
// exact, or one bfloat16 rounding off at the level that rounds them.
//
// Summation adds a rounding for each block of 16 and its min, or for every fourth column, of at most the sum
// of magnitudes. A min is at most 63 * 2^-4 for the scales of random_stored_rows.
std::vector<Expected> expected_row(const tensor::StoredRows& weight, std::span<const float> x,
                                   std::span<const float> reference, Precision precision) {
  constexpr double kLargestMin = 63.0 / 16.0;
  const bool is_float = tensor::is_float_type(weight.type);
  std::vector<double> step(x.size(), 0.0);
  for (std::size_t c = 0; c < x.size() && !is_float; ++c) {
    const auto block = x.subspan(c / 32 * 32, 32);
    const auto larger = [](float a, float b) { return std::fabs(a) < std::fabs(b); };
    step[c] = std::fabs(*std::ranges::max_element(block, larger)) / 127.0;
    if (precision == Precision::kTwoTerms) step[c] /= 254.0;
  }
  std::vector<Expected> expected;
  for (std::size_t r = 0; r < weight.count(); ++r) {
    const std::vector<float> w = weight.values(r);
    double variance = 0.0;
    double magnitude = 0.0;
    for (std::size_t c = 0; c < x.size(); ++c) {
      variance += std::pow(w[c] * step[c], 2) / 12.0;
      magnitude += (std::fabs(w[c]) + (is_float ? 0.0 : 2 * kLargestMin)) * std::fabs(x[c]);
    }
    const double additions = static_cast<double>(x.size()) / (is_float ? 4 : 8) + 8;
    double error = 6 * std::sqrt(variance) + magnitude * additions * kRounding;
    if (weight.type == ElementType::kBF16) error += magnitude * 0x1p-8;
    expected.push_back({reference[r], error});
  }
  return expected;
}

class CpuLinearTest : public testing::TestWithParam<ElementType> {
 protected:
  std::size_t columns() const {
    return tensor::is_float_type(GetParam()) ? 67 : 2 * std::max<std::size_t>(64, block());
  }
  std::size_t block() const { return tensor::info(GetParam()).block_values; }
  bool is_float() const { return tensor::is_float_type(GetParam()); }
};

// One product on one backend.
GuardedMatrix product(Backend& backend, const StoredMatrix& weight, std::span<const float> bias,
                      ConstMatrixF32 x, std::span<const std::uint8_t> outliers = {}) {
  const auto linear = packed(backend, weight, bias);
  GuardedMatrix out(x.rows(), linear->rows());
  const std::array calls = {LinearCall{linear.get(), out.view()}};
  backend.linear({x, outliers}, calls);
  EXPECT_TRUE(out.guards_intact());
  return out;
}

void expect_agreement(const tensor::StoredRows& weight, const GuardedMatrix& x, const GuardedMatrix& actual,
                      const GuardedMatrix& reference, std::span<const Precision> precisions) {
  for (std::size_t t = 0; t < x.rows(); ++t) {
    const auto expected = expected_row(weight, x.row(t), reference.row(t), precisions[t]);
    EXPECT_TRUE(all_within(actual.view().slice_rows(t, 1), expected)) << "row " << t << " of " << x.rows();
  }
}

TEST_P(CpuLinearTest, AgreesWithTheReferenceForEveryNumberOfRows) {
  const auto cpu = cpu_backend(2);
  const auto exact = cpu_backend(2, /*exact_activations=*/true);
  const auto reference = make_reference_backend();
  for (const std::size_t weight_rows : {1, 15, 16, 17, 50}) {
    const auto weight = random_stored_rows(GetParam(), weight_rows, columns(), weight_rows);
    const StoredMatrix stored(weight);
    for (const std::size_t tokens : {1, 2, 3, 4, 5, 8, 9, 16, 19, 70}) {
      SCOPED_TRACE(testing::Message() << weight_rows << " weight rows, " << tokens << " tokens");
      const GuardedMatrix x = random_matrix(tokens, columns(), tokens);
      const GuardedMatrix wanted = product(*reference, stored, {}, x.view());
      const std::vector<Precision> one(tokens, Precision::kOneTerm);
      const std::vector<Precision> two(tokens, Precision::kTwoTerms);
      expect_agreement(weight, x, product(*cpu, stored, {}, x.view()), wanted, one);
      expect_agreement(weight, x, product(*exact, stored, {}, x.view()), wanted, two);
    }
  }
}

TEST_P(CpuLinearTest, OutlierRowsGetTwoTermsAndTheOthersOne) {
  const auto weight = random_stored_rows(GetParam(), 33, columns(), 1);
  const StoredMatrix stored(weight);
  GuardedMatrix x = random_matrix(11, columns(), 2);
  std::vector<std::uint8_t> outliers(11, 0);
  std::vector<Precision> precisions(11, Precision::kOneTerm);
  for (const std::size_t row : {std::size_t{0}, std::size_t{7}}) {
    for (std::size_t c = 3; c < columns(); c += 32) x.row(row)[c] = 500.0F;  // as BOS has
    outliers[row] = 1;
    precisions[row] = Precision::kTwoTerms;
  }
  const auto cpu = cpu_backend(2);
  const auto reference = make_reference_backend();
  const GuardedMatrix mixed = product(*cpu, stored, {}, x.view(), outliers);
  expect_agreement(weight, x, mixed, product(*reference, stored, {}, x.view()), precisions);
  // The exact mode treats every row as an outlier: the same bits.
  const auto exact = cpu_backend(2, /*exact_activations=*/true);
  const GuardedMatrix all = product(*exact, stored, {}, x.view());
  const GuardedMatrix none = product(*cpu, stored, {}, x.view());
  for (std::size_t t = 0; t < 11; ++t) {
    EXPECT_TRUE(bits_equal(mixed.row(t), outliers[t] != 0 ? all.row(t) : none.row(t))) << t;
  }
}

// Results depend on the row alone, not on its company or on who computed it.
TEST_P(CpuLinearTest, BitsDoNotDependOnThreadsOrGrouping) {
  const StoredMatrix stored(random_stored_rows(GetParam(), 83, columns(), 3));
  const GuardedMatrix x = random_matrix(70, columns(), 4);
  std::vector<std::uint8_t> outliers(70, 0);
  for (const std::size_t row : {0, 1, 30, 69}) outliers[row] = 1;
  const auto single = cpu_backend(1);
  const GuardedMatrix whole = product(*single, stored, {}, x.view(), outliers);
  for (const std::size_t threads : {1, 2, 4}) {
    const auto backend = cpu_backend(threads);
    const auto linear = packed(*backend, stored);
    for (const std::size_t group : {1, 2, 3, 4, 5, 7, 8, 64, 70}) {
      SCOPED_TRACE(testing::Message() << threads << " threads, groups of " << group);
      GuardedMatrix out(70, 83);
      for (std::size_t first = 0; first < 70; first += group) {
        const std::size_t count = std::min(group, 70 - first);
        const std::array calls = {LinearCall{linear.get(), out.view().slice_rows(first, count)}};
        backend->linear({x.view().slice_rows(first, count), std::span(outliers).subspan(first, count)},
                        calls);
      }
      EXPECT_TRUE(bits_equal(out.view(), whole.view()));
    }
  }
}

TEST_P(CpuLinearTest, AddsTheBias) {
  const auto weight = random_stored_rows(GetParam(), 21, columns(), 5);
  const StoredMatrix stored(weight);
  const GuardedMatrix bias = random_matrix(1, 21, 6, 100.0F);
  const auto cpu = cpu_backend(2, /*exact_activations=*/true);
  const auto reference = make_reference_backend();
  for (const std::size_t tokens : {1, 6}) {
    const GuardedMatrix x = random_matrix(tokens, columns(), 9);
    const GuardedMatrix actual = product(*cpu, stored, bias.row(0), x.view());
    const GuardedMatrix wanted = product(*reference, stored, bias.row(0), x.view());
    for (std::size_t t = 0; t < tokens; ++t) {
      auto expected = expected_row(weight, x.row(t), wanted.row(t), Precision::kTwoTerms);
      for (std::size_t r = 0; r < expected.size(); ++r) {
        expected[r].error += std::fabs(bias.row(0)[r]) * 2 * kRounding;
      }
      EXPECT_TRUE(all_within(actual.view().slice_rows(t, 1), expected)) << t;
    }
  }
}

TEST_P(CpuLinearTest, ComputesWhatIsWantedAsItDoesAll) {
  const StoredMatrix stored(random_stored_rows(GetParam(), 75, columns(), 3));
  const auto cpu = cpu_backend(2);
  const auto linear = packed(*cpu, stored);
  const std::vector<std::uint32_t> wanted = {1U << 20, 0U, 1U << 10};  // columns 20 and 74
  for (const std::size_t tokens : {1, 3, 40}) {
    const GuardedMatrix x = random_matrix(tokens, columns(), 4);
    const GuardedMatrix all = product(*cpu, stored, {}, x.view());
    GuardedMatrix some(tokens, 75);
    const std::array calls = {LinearCall{.weights = linear.get(), .out = some.view(), .wanted = wanted}};
    cpu->linear({x.view(), {}}, calls);
    for (std::size_t t = 0; t < tokens; ++t) {
      for (const std::size_t column : {20, 74}) EXPECT_EQ(some.row(t)[column], all.row(t)[column]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllTypes, CpuLinearTest, testing::ValuesIn(tensor::all_element_types()),
                         [](const auto& type) { return std::string(tensor::info(type.param).name); });

// Products that share an input may differ in type and size.
TEST(CpuLinear, AGroupOfCallsEqualsTheCallsOneByOne) {
  const auto backend = cpu_backend(3);
  const StoredMatrix q(random_stored_rows(ElementType::kQ4_K, 40, 256, 1));
  const StoredMatrix k(random_stored_rows(ElementType::kF16, 7, 256, 2));
  const StoredMatrix v(random_stored_rows(ElementType::kQ6_K, 17, 256, 3));
  const StoredMatrix r(random_stored_rows(ElementType::kF32, 16, 256, 4));
  const GuardedMatrix x = random_matrix(9, 256, 5);
  const std::vector<std::uint8_t> outliers = {1, 0, 0, 0, 0, 0, 0, 0, 1};
  const GuardedMatrix bias = random_matrix(1, 17, 6);
  const std::array linears = {packed(*backend, q), packed(*backend, k), packed(*backend, v, bias.row(0)),
                              packed(*backend, r)};
  std::vector<GuardedMatrix> together;
  std::vector<LinearCall> calls;
  for (const auto& linear : linears) together.emplace_back(9, linear->rows());
  for (std::size_t i = 0; i < linears.size(); ++i) {
    calls.push_back({linears[i].get(), together[i].view()});
  }
  backend->linear({x.view(), outliers}, calls);
  for (std::size_t i = 0; i < linears.size(); ++i) {
    GuardedMatrix alone(9, linears[i]->rows());
    backend->linear({x.view(), outliers}, std::array{LinearCall{linears[i].get(), alone.view()}});
    EXPECT_TRUE(bits_equal(together[i].view(), alone.view())) << i;
    EXPECT_TRUE(together[i].guards_intact());
  }
}

// The vision tower's layers: as rows and, being no multiple of 32, as columns of float weights.
TEST(CpuLinear, TakesRowsAndColumnsOf4304) {
  const auto cpu = cpu_backend(2);
  const auto reference = make_reference_backend();
  const std::vector<Precision> one(3, Precision::kOneTerm);
  for (const auto& [type, rows, columns] :
       {std::tuple(ElementType::kQ8_0, 4304, 64), std::tuple(ElementType::kF16, 5, 4304),
        std::tuple(ElementType::kBF16, 5, 4304)}) {
    const auto weight =
        random_stored_rows(type, static_cast<std::size_t>(rows), static_cast<std::size_t>(columns), 1);
    const StoredMatrix stored(weight);
    const GuardedMatrix x = random_matrix(3, static_cast<std::size_t>(columns), 2);
    expect_agreement(weight, x, product(*cpu, stored, {}, x.view()),
                     product(*reference, stored, {}, x.view()), one);
  }
}

// Activations in bfloat16 where the input allows it and the backend says so, and the same bits then for any
// number of threads and rows: panels go in pairs where there are many rows.
TEST(CpuLinear, RoundsToBfloat16OnlyWhereAllowed) {
  const auto weight = random_stored_rows(ElementType::kBF16, 35, 67, 1);
  const StoredMatrix stored(weight);
  const GuardedMatrix bias = random_matrix(1, 35, 2);
  const GuardedMatrix x = random_matrix(21, 67, 3);
  const auto run = [&](Backend& backend, ConstMatrixF32 rows, Rounding rounding) {
    const auto linear = packed(backend, stored, bias.row(0));
    GuardedMatrix out(rows.rows(), 35);
    backend.linear({rows, {}, rounding}, std::array{LinearCall{linear.get(), out.view()}});
    EXPECT_TRUE(out.guards_intact());
    return out;
  };
  const auto cpu = cpu_backend(2);
  GuardedMatrix rounded = x;
  for (std::size_t t = 0; t < 21 && cpu->arithmetic(Rounding::kBf16) == Rounding::kBf16; ++t) {
    for (float& value : rounded.row(t)) value = tensor::bf16_to_f32(tensor::f32_to_bf16(value));
  }
  const GuardedMatrix wanted = run(*make_reference_backend(), rounded.view(), Rounding::kF32);
  const GuardedMatrix actual = run(*cpu, x.view(), Rounding::kBf16);
  for (std::size_t r = 0; r < 35; ++r) {
    const std::vector<float> w = weight.values(r);
    for (std::size_t t = 0; t < 21; ++t) {
      double magnitude = std::fabs(bias.row(0)[r]);
      for (std::size_t c = 0; c < 67; ++c) magnitude += std::fabs(w[c] * rounded.row(t)[c]);
      EXPECT_NEAR(actual.row(t)[r], wanted.row(t)[r], magnitude * 67 * kRounding);
    }
  }
  EXPECT_TRUE(bits_equal(run(*cpu_backend(5), x.view(), Rounding::kBf16).view(), actual.view()));
  for (std::size_t t = 0; t < 21; ++t) {
    const GuardedMatrix alone = run(*cpu, x.view().slice_rows(t, 1), Rounding::kBf16);
    EXPECT_TRUE(bits_equal(alone.row(0), actual.row(t)));
  }
}

TEST(CpuLinear, NoRowsAreNoWork) {
  const auto backend = cpu_backend(2);
  const auto linear = packed(*backend, StoredMatrix(random_stored_rows(ElementType::kQ8_0, 3, 32, 1)));
  GuardedMatrix x(0, 32);
  GuardedMatrix out(0, 3);
  backend->linear({x.view(), {}}, std::array{LinearCall{linear.get(), out.view()}});
}

}  // namespace
}  // namespace carat::backend
