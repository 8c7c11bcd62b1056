// The processor backend's operations on rows against the f64 reference. The kernels have tests of their own;
// these see that every row, head and thread gets its share.

#include "backend/cpu/cpu_backend.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

#include "backend/cpu/test_cpu_backend.h"
#include "backend/reference/reference_backend.h"
#include "kernels/levels.h"
#include "tensor/test_matrix.h"

namespace carat::backend {
namespace {

using tensor::bits_equal;
using tensor::ElementType;
using tensor::Expected;
using tensor::GuardedMatrix;
using tensor::random_matrix;
using tensor::random_stored_rows;
using testing::HasSubstr;

constexpr float kEpsilon = 1e-6F;

// The kernels' own tests derive their errors; 1e-5 of the row's largest value is above all of them for rows
// of 2,304 values and far below what a misplaced row or head would give.
std::vector<Expected> near(const GuardedMatrix& reference) {
  std::vector<Expected> expected;
  for (std::size_t r = 0; r < reference.rows(); ++r) {
    double largest = 0.0;
    for (const float value : reference.row(r))
      largest = std::max(largest, std::fabs(static_cast<double>(value)));
    for (const float value : reference.row(r)) expected.push_back({value, 1e-5 * largest});
  }
  return expected;
}

// run(backend, x) in place, for row counts that are serial and that are split over threads: near the
// reference, and the same bits for any number of threads and for each row alone.
template <class Run>
void check_rows(std::size_t columns, Run run) {
  const auto reference = make_reference_backend();
  const auto single = cpu_backend(1);
  for (const std::size_t rows : {1, 3, 70}) {
    SCOPED_TRACE(rows);
    const GuardedMatrix x = random_matrix(rows, columns, rows, 2.0F);
    GuardedMatrix wanted = x;
    run(*reference, wanted.view(), std::size_t{0});
    GuardedMatrix serial = x;
    run(*single, serial.view(), std::size_t{0});
    EXPECT_TRUE(all_within(serial.view(), near(wanted)));
    for (const std::size_t threads : {2, 4}) {
      const auto backend = cpu_backend(threads);
      GuardedMatrix actual = x;
      run(*backend, actual.view(), std::size_t{0});
      EXPECT_TRUE(bits_equal(actual.view(), serial.view())) << threads;
      EXPECT_TRUE(actual.guards_intact());
    }
    GuardedMatrix alone = x;
    for (std::size_t r = 0; r < rows; ++r) run(*single, alone.view().slice_rows(r, 1), r);
    EXPECT_TRUE(bits_equal(alone.view(), serial.view()));
  }
}

TEST(CpuBackend, NormsAgreeWithTheReference) {
  constexpr std::size_t kColumns = 1152;
  const GuardedMatrix weight = random_matrix(1, kColumns, 1);
  const GuardedMatrix bias = random_matrix(1, kColumns, 2);
  const GuardedMatrix branch = random_matrix(70, kColumns, 3);
  check_rows(kColumns,
             [&](Backend& b, MatrixF32 x, std::size_t) { b.rms_norm(x, weight.row(0), kEpsilon, x); });
  check_rows(kColumns, [&](Backend& b, MatrixF32 x, std::size_t) {
    b.layer_norm(x, weight.row(0), bias.row(0), kEpsilon, x);
  });
  check_rows(kColumns, [&](Backend& b, MatrixF32 x, std::size_t first) {
    b.add_rms_norm(branch.view().slice_rows(first, x.rows()), weight.row(0), kEpsilon, x);
  });
}

TEST(CpuBackend, NormsMayWriteElsewhere) {
  const auto backend = cpu_backend(2);
  const GuardedMatrix x = random_matrix(40, 640, 1);
  const GuardedMatrix weight = random_matrix(2, 640, 2);
  GuardedMatrix in_place = x;
  GuardedMatrix elsewhere(40, 640);
  backend->rms_norm(in_place.view(), weight.row(0), kEpsilon, in_place.view());
  backend->rms_norm(x.view(), weight.row(0), kEpsilon, elsewhere.view());
  EXPECT_TRUE(bits_equal(elsewhere.view(), in_place.view()));
  in_place = x;
  backend->layer_norm(in_place.view(), weight.row(0), weight.row(1), kEpsilon, in_place.view());
  backend->layer_norm(x.view(), weight.row(0), weight.row(1), kEpsilon, elsewhere.view());
  EXPECT_TRUE(bits_equal(elsewhere.view(), in_place.view()));
}

TEST(CpuBackend, HeadNormRopeAgreesWithTheReferenceForEveryHead) {
  for (const std::size_t head_dim : {std::size_t{72}, std::size_t{256}}) {
    SCOPED_TRACE(head_dim);
    const GuardedMatrix weight = random_matrix(1, head_dim, 1);
    const GuardedMatrix cos = random_matrix(70, head_dim / 2, 2);  // any rotation will do
    const GuardedMatrix sin = random_matrix(70, head_dim / 2, 3);
    check_rows(5 * head_dim, [&](Backend& b, MatrixF32 x, std::size_t first) {
      const Rotation rotation = {cos.view().slice_rows(first, x.rows()),
                                 sin.view().slice_rows(first, x.rows())};
      b.head_norm_rope(x, weight.row(0), kEpsilon, rotation, 0.0625F);
    });
  }
}

TEST(CpuBackend, ElementwiseOperationsAgreeWithTheReference) {
  constexpr std::size_t kColumns = 2304;
  const GuardedMatrix y = random_matrix(70, kColumns, 1);
  check_rows(kColumns, [&](Backend& b, MatrixF32 x, std::size_t first) {
    b.geglu(x, y.view().slice_rows(first, x.rows()));
  });
  check_rows(kColumns, [&](Backend& b, MatrixF32 x, std::size_t) { b.gelu(x); });
  check_rows(kColumns, [&](Backend& b, MatrixF32 x, std::size_t first) {
    b.add(x, y.view().slice_rows(first, x.rows()));
  });
}

// Rows are decoded without loss, so only the scale rounds, and for types with a min its sum.
TEST(CpuBackend, EmbedsRowsOfEveryType) {
  const auto reference = make_reference_backend();
  for (const ElementType type : tensor::all_element_types()) {
    SCOPED_TRACE(tensor::info(type).name);
    const StoredMatrix table(random_stored_rows(type, 37, 256, 1));
    const std::vector<std::int32_t> ids = {36, 0, 15, 16, 17, 0, 31, 32};
    GuardedMatrix wanted(ids.size(), 256);
    reference->embed(*packed(*reference, table), ids, 25.2982F, wanted.view());
    std::vector<Expected> expected;
    for (std::size_t r = 0; r < ids.size(); ++r) {
      for (const float value : wanted.row(r))
        expected.push_back({value, 2 * tensor::kRounding * std::fabs(value)});
    }
    for (const std::size_t threads : {1, 3}) {
      const auto backend = cpu_backend(threads);
      GuardedMatrix actual(ids.size(), 256);
      backend->embed(*packed(*backend, table), ids, 25.2982F, actual.view());
      EXPECT_TRUE(all_within(actual.view(), expected));
      EXPECT_TRUE(actual.guards_intact());
    }
  }
}

TEST(CpuBackendDeathTest, RefusesIdsBeyondTheTable) {
  const auto backend = cpu_backend(1);
  const auto table = packed(*backend, StoredMatrix(random_stored_rows(ElementType::kQ8_0, 17, 32, 1)));
  GuardedMatrix out(1, 32);
  // 17 rows fill two panels of 16: the padding rows are no rows.
  EXPECT_DEATH(backend->embed(*table, std::array<std::int32_t, 1>{17}, 1.0F, out.view()), "id < packed.rows");
  EXPECT_DEATH(backend->embed(*table, std::array<std::int32_t, 1>{-1}, 1.0F, out.view()), "id < packed.rows");
}

TEST(CpuBackend, ReportsShapeAndMemoryOfPackedWeights) {
  const auto backend = cpu_backend(2);
  const std::vector<float> bias(33, 1.0F);
  const auto linear = packed(*backend, StoredMatrix(random_stored_rows(ElementType::kQ4_0, 33, 64, 1)), bias);
  EXPECT_EQ(linear->rows(), 33u);
  EXPECT_EQ(linear->columns(), 64u);
  EXPECT_EQ(linear->bytes(), 3 * 16 * 2 * 18 + 33 * sizeof(float));  // three panels
}

TEST(CpuBackend, RefusesScalesThatAreNotFiniteAndNamesTheTensor) {
  for (const std::size_t threads : {1, 3}) {
    const auto backend = cpu_backend(threads);
    auto rows = random_stored_rows(ElementType::kQ8_0, 100, 64, 1);
    ASSERT_TRUE(backend->pack(StoredMatrix(rows).tensor(), {}));
    tensor::store_half(rows.bytes.data() + 50 * rows.row_bytes() + 34, 0x7E00);  // row 50, second block
    const StoredMatrix stored(rows);
    const auto linear = backend->pack(stored.tensor(), {});
    ASSERT_FALSE(linear);
    EXPECT_EQ(linear.error().kind, ErrorKind::kInvalidModel);
    EXPECT_THAT(linear.error().message, HasSubstr("tiny.gguf: tensor blk.3.ffn_up.weight: rows 48 to 63"));
  }
}

TEST(CpuBackend, ReportsASourceThatEndsEarly) {
  const auto backend = cpu_backend(2);
  auto rows = random_stored_rows(ElementType::kQ4_K, 40, 256, 1);
  const StoredMatrix whole(rows);
  rows.bytes.pop_back();
  StoredMatrix cut(rows);
  tensor::StoredTensor tensor = cut.tensor();
  tensor.rows = 40;
  const auto linear = backend->pack(tensor, {});
  ASSERT_FALSE(linear);
  EXPECT_EQ(linear.error().kind, ErrorKind::kInvalidModel);
  EXPECT_TRUE(backend->pack(whole.tensor(), {}));  // the backend is still usable
}

TEST(CpuBackend, SaysWhatItRunsOn) {
  for (const kernels::Level& level : kernels::levels()) {
    const auto backend = make_cpu_backend({2, std::string(level.name), false});
    ASSERT_EQ(backend.has_value(), level.available) << level.name;
    if (!backend) continue;
    EXPECT_EQ((*backend)->description(), fmt::format("cpu {}, 2 threads", level.name));
  }
  const auto best = make_cpu_backend({1, "", false});
  ASSERT_TRUE(best);
  EXPECT_EQ((*best)->description(), fmt::format("cpu {}, 1 thread", kernels::best_level().name));
  const auto unknown = make_cpu_backend({1, "sse9", false});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(unknown.error().message, HasSubstr("scalar"));
}

}  // namespace
}  // namespace carat::backend
