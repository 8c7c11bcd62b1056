// Low-rank additions of the processor backend against the f64 reference, and to the bit against themselves.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "backend/cpu/test_cpu_backend.h"
#include "backend/reference/reference_backend.h"
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

struct Sizes {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t rank = 0;
};

// A layer and the halves of an addition to it, as a file holds them.
struct Layer {
  Layer(ElementType type, const Sizes& sizes)
      : weight(random_stored_rows(ElementType::kF32, sizes.rows, sizes.columns, 1)),
        down(random_stored_rows(type, sizes.rank, sizes.columns, 2)),
        up(random_stored_rows(type, sizes.rows, sizes.rank, 3)),
        stored_weight(weight),
        stored_down(down),
        stored_up(up) {}

  tensor::StoredRows weight, down, up;
  StoredMatrix stored_weight, stored_down, stored_up;
};

// The same, packed for one backend.
class PackedLayer {
 public:
  PackedLayer(Backend& backend, const Layer& layer)
      : backend_(backend),
        weight_(packed(backend, layer.stored_weight)),
        down_(packed(backend, layer.stored_down)),
        up_(packed(backend, layer.stored_up)) {}

  LowRank addition(float scale, std::size_t first_row, std::size_t row_count) const {
    return {down_.get(), up_.get(), scale, first_row, row_count};
  }
  GuardedMatrix run(ConstMatrixF32 x, std::span<const LowRank> additions) {
    GuardedMatrix out(x.rows(), weight_->rows());
    backend_.linear({x, {}}, std::array{LinearCall{weight_.get(), out.view(), additions}});
    EXPECT_TRUE(out.guards_intact());
    return out;
  }

 private:
  Backend& backend_;
  std::unique_ptr<Linear> weight_, down_, up_;
};

// Sums of n f32 terms round at most n times, each time by at most the sum of the magnitudes; a level that
// rounds activations to bfloat16 for bfloat16 weights does so once for x and once for the narrow row.
std::vector<Expected> expected_row(const Layer& layer, std::span<const float> x,
                                   std::span<const float> wanted, float scale) {
  const bool may_round = layer.down.type == ElementType::kBF16;
  std::vector<double> narrow(layer.down.count(), 0.0);  // magnitudes
  for (std::size_t k = 0; k < narrow.size(); ++k) {
    const std::vector<float> row = layer.down.values(k);
    for (std::size_t c = 0; c < x.size(); ++c) narrow[k] += std::fabs(row[c] * x[c]);
  }
  const auto terms = static_cast<double>(x.size() + narrow.size() + 8);
  std::vector<Expected> expected;
  for (std::size_t r = 0; r < layer.weight.count(); ++r) {
    const std::vector<float> weight = layer.weight.values(r);
    const std::vector<float> up = layer.up.values(r);
    double base = 0.0;
    double added = 0.0;
    for (std::size_t c = 0; c < x.size(); ++c) base += std::fabs(weight[c] * x[c]);
    for (std::size_t k = 0; k < narrow.size(); ++k) added += std::fabs(scale * up[k]) * narrow[k];
    double error = (base + added) * terms * kRounding;
    if (may_round) error += added * 2 * 0x1p-8;
    expected.push_back({wanted[r], error});
  }
  return expected;
}

class CpuLowRankTest : public testing::TestWithParam<ElementType> {};

TEST_P(CpuLowRankTest, AgreesWithTheReferenceAtAwkwardSizes) {
  constexpr float kScale = -0.7F;
  const auto cpu = cpu_backend(2);
  const auto reference = make_reference_backend();
  // The last layer's rows are several tasks.
  for (const Sizes& sizes :
       {Sizes{1, 1, 1}, Sizes{21, 67, 3}, Sizes{50, 5, 17}, Sizes{33, 130, 64}, Sizes{4001, 5, 9}}) {
    const Layer layer(GetParam(), sizes);
    PackedLayer actual(*cpu, layer);
    PackedLayer wanted(*reference, layer);
    for (const std::size_t tokens : {1, 2, 7, 63, 64, 130}) {
      SCOPED_TRACE(testing::Message() << sizes.rows << "x" << sizes.columns << " rank " << sizes.rank << ", "
                                      << tokens << " tokens");
      const GuardedMatrix x = random_matrix(tokens, sizes.columns, tokens);
      const GuardedMatrix out = actual.run(x.view(), std::array{actual.addition(kScale, 0, tokens)});
      const GuardedMatrix oracle = wanted.run(x.view(), std::array{wanted.addition(kScale, 0, tokens)});
      for (std::size_t t = 0; t < tokens; ++t) {
        EXPECT_TRUE(
            all_within(out.view().slice_rows(t, 1), expected_row(layer, x.row(t), oracle.row(t), kScale)))
            << t;
      }
    }
  }
}

// Rows outside of an addition's range keep their bits, and those inside have the bits they have alone.
TEST_P(CpuLowRankTest, RowsGetTheirOwnAdditionsAndNothingElse) {
  const Layer layer(GetParam(), {4001, 67, 5});
  const GuardedMatrix x = random_matrix(150, 67, 4);
  const auto single = cpu_backend(1);
  PackedLayer alone(*single, layer);
  const GuardedMatrix plain = alone.run(x.view(), {});
  for (const std::size_t threads : {1, 3}) {
    const auto backend = cpu_backend(threads);
    PackedLayer together(*backend, layer);
    // [0, 1) once, [1, 3) twice, [3, 10) not at all, [10, 140) with another scale.
    const std::array additions = {together.addition(0.5F, 0, 3), together.addition(2.0F, 1, 2),
                                  together.addition(-3.0F, 10, 130)};
    const GuardedMatrix out = together.run(x.view(), additions);
    for (std::size_t t = 0; t < x.rows(); ++t) {
      std::vector<LowRank> own;
      for (LowRank addition :
           {alone.addition(0.5F, 0, 3), alone.addition(2.0F, 1, 2), alone.addition(-3.0F, 10, 130)}) {
        if (t < addition.first_row || t >= addition.first_row + addition.row_count) continue;
        addition.first_row = 0;
        addition.row_count = 1;
        own.push_back(addition);
      }
      const GuardedMatrix expected = alone.run(x.view().slice_rows(t, 1), own);
      EXPECT_TRUE(bits_equal(out.row(t), expected.row(0))) << t << " with " << threads << " threads";
      EXPECT_EQ(static_cast<bool>(bits_equal(out.row(t), plain.row(t))), own.empty()) << t;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(FloatTypes, CpuLowRankTest,
                         testing::Values(ElementType::kF32, ElementType::kF16, ElementType::kBF16),
                         [](const auto& type) { return std::string(tensor::info(type.param).name); });

}  // namespace
}  // namespace carat::backend
