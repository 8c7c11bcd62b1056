// Weights times activations, every element type and level: against f64 sums, and to the bit against one row
// alone at the scalar level.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "base/huge_buffer.h"
#include "kernels/test_activations.h"
#include "kernels/test_levels.h"
#include "tensor/dequantize.h"
#include "tensor/stored_block.h"
#include "tensor/test_matrix.h"
#include "tensor/test_stored_rows.h"

namespace carat::kernels {
namespace {

using tensor::ElementType;
using tensor::Expected;
using tensor::GuardedMatrix;
using tensor::kPanelRows;
using tensor::kRounding;
using tensor::random_matrix;
using tensor::StoredRows;

constexpr std::size_t kMostRows = 19;  // two full tiles of 8 and three rows

// A panel of up to 16 rows with what its product is checked against.
struct Weights {
  tensor::PanelLayout layout;
  StoredRows stored;
  HugeBuffer panel;
  std::size_t panel_count = 1;

  Weights(StoredRows rows) : layout(tensor::panel_layout(rows.type, rows.columns)), stored(std::move(rows)) {
    panel = *HugeBuffer::allocate(layout.bytes);
    CARAT_CHECK(tensor::pack_panel(layout, stored.bytes, stored.count(), stored.row_scales, panel.bytes()));
  }
  // Two panels, one behind the other; the values are the first one's.
  Weights(StoredRows rows, const Weights& second) : Weights(std::move(rows)) {
    HugeBuffer both = *HugeBuffer::allocate(2 * layout.bytes);
    std::ranges::copy(panel.bytes(), both.data());
    std::ranges::copy(second.panel.bytes(), both.data() + layout.bytes);
    panel = std::move(both);
    panel_count = 2;
  }

  // The row's values, and for types with a min how far that min moved each of them: the kernel adds scale *
  // code and min apart, so rounding is bounded by both and not by their sum.
  std::vector<float> values(std::size_t row) const { return stored.values(row); }
  std::vector<double> mins(std::size_t row) const {
    std::vector<double> out(layout.columns, 0.0);
    if (!layout.has_min) return out;
    const tensor::ElementTypeInfo& type = tensor::info(layout.type);
    tensor::StoredBlock block;
    for (std::size_t c = 0; c < layout.columns; ++c) {
      if (c % type.block_values == 0) {
        const std::size_t at = c / type.block_values * type.block_bytes;
        tensor::read_stored_block(layout.type, stored.rows(row, 1).data() + at, block);
      }
      const double factor = layout.has_sub ? block.sub_mins[c % type.block_values / layout.block] : 1.0;
      out[c] = std::fabs(static_cast<double>(tensor::f16_to_f32(block.min)) * factor);
    }
    return out;
  }
};

// Runs `kernels` on the first `rows` rows; out is [rows, 16], lanes from `valid` on stay as they are.
void run_panel(const Kernels& kernels, const Weights& weights, const ActivationBlock* activations,
               const tensor::ConstMatrixF32* floats, std::size_t rows, std::size_t valid,
               GuardedMatrix& out) {
  HugeBuffer scratch = *HugeBuffer::allocate(scratch_bytes(weights.layout));
  std::ranges::fill(scratch.bytes(), std::byte{0xFF});  // whatever an earlier panel left behind
  std::vector<float*> out_rows;
  std::vector<const float*> in_rows;
  for (std::size_t r = 0; r < rows; ++r) {
    out_rows.push_back(out.row(r).data() - 32);
    if (floats != nullptr) in_rows.push_back(floats->row(r).data());
  }
  PanelJob job;
  job.layout = &weights.layout;
  job.panel = weights.panel.data();
  job.activations = activations;
  job.rows = in_rows.data();
  const std::size_t pairs = bf16_pairs(weights.layout.columns);
  std::vector<std::uint32_t> rounded(kernels.rounds_bf16 ? rows * pairs : 0);
  for (std::size_t r = 0; r < rows && floats != nullptr && kernels.rounds_bf16; ++r)
    kernels.round_bf16(floats->row(r).data(), weights.layout.columns, rounded.data() + r * pairs);
  job.bf16_rows = rounded.data();
  job.panel_count = weights.panel_count;
  job.row_count = rows;
  job.out = out_rows.data();
  job.out_offset = 32;
  job.valid = valid;
  job.scratch = scratch.data();
  kernels.panel(job);
}

class PanelTest : public LevelTest {
 protected:
  // avx512bf16 multiplies bfloat16 weights with rounded activations; all else is exact.
  bool has_scalar_bits(ElementType type) const {
    return GetParam().integer_exact || type != ElementType::kBF16;
  }
};

std::vector<ElementType> integer_types() {
  std::vector<ElementType> types;
  for (const ElementType type : tensor::all_element_types()) {
    if (!tensor::is_float_type(type)) types.push_back(type);
  }
  return types;
}

std::vector<std::size_t> column_counts(ElementType type) {
  if (tensor::info(type).block_values == 256) return {256, 512, 2048};
  return {32, 64, 96, 256, 512, 2048};
}

// Row r of the result as f64 sums over the dequantized weights and activations. The integer sums of a block
// are exact in f32 (at most 32 * 255 * 127 < 2^24), so what rounds is: the product of the scales, the scaled
// sum, one fused multiply-add a block (two with a min), and dequantize's own last step. Each is relative to a
// partial sum, which the sum of magnitudes bounds.
std::vector<Expected> integer_oracle(const Weights& weights, const QuantizedRowList& x, std::size_t row) {
  const tensor::PanelLayout& layout = weights.layout;
  const std::size_t blocks = layout.columns / layout.block;
  const auto additions = static_cast<double>(layout.has_min ? 2 * blocks : blocks);
  std::vector<Expected> out;
  for (std::size_t lane = 0; lane < weights.stored.count(); ++lane) {
    const std::vector<float> values = weights.values(lane);
    const std::vector<double> mins = weights.mins(lane);
    double sum = 0.0;
    double magnitude = 0.0;
    for (std::size_t c = 0; c < layout.columns; ++c) {
      const ActivationBlock& block = x.row(row)[c / 32];
      const double activation = static_cast<double>(block.scale) * activation_code(block, c % 32);
      sum += values[c] * activation;
      magnitude += (std::fabs(values[c]) + 2 * mins[c]) * std::fabs(activation);
    }
    out.push_back({sum, magnitude * (additions + 4) * kRounding});
  }
  return out;
}

// All batch sizes of one panel: bits equal those of each row alone at the scalar level, which agree with f64.
void check_integer_panel(const Kernels& kernels, const Weights& weights, const tensor::GuardedMatrix& x,
                         bool against_f64 = true) {
  const QuantizedRowList quantized(scalar_kernels(), x.view());
  GuardedMatrix alone(x.rows(), kPanelRows);
  for (std::size_t r = 0; r < x.rows(); ++r) {
    GuardedMatrix one(1, kPanelRows);
    run_panel(scalar_kernels(), weights, quantized.row(r), nullptr, 1, kPanelRows, one);
    std::ranges::copy(one.row(0), alone.row(r).begin());
    if (!against_f64) continue;
    const auto existing = one.view().slice_columns(0, weights.stored.count());
    ASSERT_TRUE(all_within(existing, integer_oracle(weights, quantized, r))) << "row " << r;
  }
  for (std::size_t rows = 1; rows <= x.rows(); ++rows) {
    const std::vector<ActivationBlock> tiled = quantized.tiled(rows);
    const std::size_t valid = 1 + (rows + 14) % 16;  // 16 for one row, then 1, 2, ...
    for (const std::size_t lanes : {valid, kPanelRows}) {
      GuardedMatrix out(rows, lanes);
      run_panel(kernels, weights, tiled.data(), nullptr, rows, lanes, out);
      ASSERT_TRUE(bits_equal(out.view(), alone.view().slice_rows(0, rows).slice_columns(0, lanes)))
          << rows << " rows, " << lanes << " lanes";
      ASSERT_TRUE(out.guards_intact()) << rows << " rows, " << lanes << " lanes";
    }
  }
}

TEST_P(PanelTest, IntegerTypesGiveTheSameBitsInEveryBatchSize) {
  for (const ElementType type : integer_types()) {
    for (const std::size_t columns : column_counts(type)) {
      SCOPED_TRACE(testing::Message() << tensor::info(type).name << ", " << columns << " columns");
      const Weights weights(random_stored_rows(type, kPanelRows, columns, columns));
      check_integer_panel(kernels(), weights,
                          random_matrix(columns > 512 ? 9 : kMostRows, columns, columns + 1));
      if (HasFatalFailure()) return;
    }
  }
}

// All bytes of the codes alike: codes 0 and the largest, -128 and 127 in Q8_0, which saturate 16-bit pair
// sums if a kernel adds them wrongly. Activations reach +-127 in every quad.
TEST_P(PanelTest, ExtremeCodesDoNotSaturate) {
  GuardedMatrix x(5, 512);
  for (std::size_t c = 0; c < 512; ++c) {
    x.row(0)[c] = 127.0F;
    x.row(1)[c] = -127.0F;
    x.row(2)[c] = c % 2 == 0 ? 127.0F : -127.0F;
    x.row(3)[c] = c % 4 < 2 ? -127.0F : 127.0F;
    x.row(4)[c] = c / 16 % 2 == 0 ? 127.0F : -127.0F;
  }
  for (const ElementType type : integer_types()) {
    for (const int byte : {0x00, 0x01, 0x7F, 0x80, 0x81, 0xF0, 0x0F, 0xFF}) {
      SCOPED_TRACE(testing::Message() << tensor::info(type).name << ", all bytes " << byte);
      StoredRows stored = random_stored_rows(type, kPanelRows, 512, 1);
      const tensor::HalfFields fields = tensor::half_fields(type);
      const std::size_t block = tensor::info(type).block_bytes;
      for (std::size_t i = 0; i < stored.bytes.size(); ++i) {
        const std::size_t at = i % block;
        const bool is_half = at / 2 == fields.scale / 2 || at / 2 == fields.min / 2;
        if (!is_half) stored.bytes[i] = static_cast<std::byte>(byte);
      }
      check_integer_panel(kernels(), Weights(std::move(stored)), x);
      if (HasFatalFailure()) return;
    }
  }
}

// Scales anywhere in f16, activations from denormal to 1e30: products may underflow, which no relative bound
// covers, but all levels must still agree.
TEST_P(PanelTest, AnyFiniteScaleAndActivationGivesTheSameBits) {
  GuardedMatrix x = random_matrix(6, 512, 3);
  const float magnitudes[] = {1e30F, 1e-30F, 1e-39F, 1e-36F, 0.0F, 1.0F};
  for (std::size_t r = 0; r < 6; ++r) {
    for (std::size_t c = 0; c < 512; ++c) x.row(r)[c] *= magnitudes[(r + c / 32) % 6];
  }
  for (const ElementType type : integer_types()) {
    SCOPED_TRACE(tensor::info(type).name);
    const auto stored = random_stored_rows(type, kPanelRows, 512, 4, tensor::Magnitudes::kAnyFinite);
    check_integer_panel(kernels(), Weights(stored), x, /*against_f64=*/false);
    if (HasFatalFailure()) return;
  }
}

TEST_P(PanelTest, RowsThatDoNotExistAreZero) {
  for (const ElementType type : integer_types()) {
    SCOPED_TRACE(tensor::info(type).name);
    const Weights weights(random_stored_rows(type, 3, 256, 5));
    const GuardedMatrix x = random_matrix(9, 256, 6);
    check_integer_panel(kernels(), weights, x);
    GuardedMatrix out(1, kPanelRows);
    run_panel(kernels(), weights, QuantizedRowList(kernels(), x.view()).row(0), nullptr, 1, kPanelRows, out);
    for (const float value : out.row(0).subspan(3)) EXPECT_EQ(value, 0.0F);
  }
}

// Float weights. Sums run in four chains, folded in two more additions; each rounding is relative to a
// partial sum. The dot products of avx512bf16 see activations rounded to bfloat16, run in two chains of
// pairs, round twice a pair and take denormals as 0.
std::vector<Expected> float_oracle(const Weights& weights, std::span<const float> x, bool rounded) {
  const auto columns = static_cast<double>(x.size());
  std::vector<Expected> out;
  for (std::size_t lane = 0; lane < weights.stored.count(); ++lane) {
    const std::vector<float> values = weights.values(lane);
    double sum = 0.0;
    double magnitude = 0.0;
    for (std::size_t c = 0; c < x.size(); ++c) {
      const double activation = rounded ? tensor::bf16_to_f32(tensor::f32_to_bf16(x[c])) : x[c];
      sum += values[c] * activation;
      magnitude += std::fabs(values[c] * activation);
    }
    out.push_back({sum, magnitude * (columns / (rounded ? 2 : 4) + 4) * kRounding +
                            (rounded ? columns * 0x1p-126 : 0.0)});
  }
  return out;
}

TEST_P(PanelTest, FloatTypesAgreeWithF64AtEveryTailLength) {
  std::vector<std::size_t> widths = {72, 256, 640, 1152, 4304};
  for (std::size_t columns = 1; columns <= 67; ++columns) widths.push_back(columns);
  for (const ElementType type :
       {ElementType::kF32, ElementType::kF16, ElementType::kBF16, ElementType::kSFP8}) {
    for (const std::size_t columns : widths) {
      SCOPED_TRACE(testing::Message() << tensor::info(type).name << ", " << columns << " columns");
      const Weights weights(random_stored_rows(type, kPanelRows, columns, columns));
      const GuardedMatrix x = random_matrix(kMostRows, columns, columns + 1, columns % 2 == 0 ? 1.0F : 1e30F);
      const tensor::ConstMatrixF32 rows_in = x.view();
      GuardedMatrix alone(kMostRows, kPanelRows);
      for (std::size_t r = 0; r < kMostRows; ++r) {
        GuardedMatrix one(1, kPanelRows);
        const tensor::ConstMatrixF32 row = rows_in.slice_rows(r, 1);
        run_panel(kernels(), weights, nullptr, &row, 1, kPanelRows, one);
        std::ranges::copy(one.row(0), alone.row(r).begin());
        ASSERT_TRUE(all_within(one.view(), float_oracle(weights, x.row(r), !has_scalar_bits(type))));
        if (!has_scalar_bits(type)) continue;
        GuardedMatrix scalar(1, kPanelRows);
        run_panel(scalar_kernels(), weights, nullptr, &row, 1, kPanelRows, scalar);
        ASSERT_TRUE(bits_equal(one.view(), scalar.view()));
      }
      for (std::size_t rows = 1; rows <= kMostRows; rows += columns <= 67 ? 1 : 6) {
        const std::size_t lanes = 1 + rows % 16;
        GuardedMatrix out(rows, lanes);
        run_panel(kernels(), weights, nullptr, &rows_in, rows, lanes, out);
        ASSERT_TRUE(bits_equal(out.view(), alone.view().slice_rows(0, rows).slice_columns(0, lanes)));
        ASSERT_TRUE(out.guards_intact());
      }
    }
  }
}

// Two panels at once give the bits of each of them alone, in every batch size.
TEST_P(PanelTest, TwoPanelsAreEachOfThem) {
  for (const ElementType type : tensor::all_element_types()) {
    for (const std::size_t columns : {std::size_t{256}, std::size_t{768}}) {
      SCOPED_TRACE(testing::Message() << tensor::info(type).name << ", " << columns << " columns");
      const Weights first(random_stored_rows(type, kPanelRows, columns, 1));
      const Weights second(random_stored_rows(type, kPanelRows, columns, 2));
      StoredRows again = first.stored;
      const Weights both(std::move(again), second);
      const GuardedMatrix x = random_matrix(kMostRows, columns, 3);
      const tensor::ConstMatrixF32 floats = x.view();
      const QuantizedRowList quantized(scalar_kernels(), x.view());
      for (std::size_t rows = 1; rows <= kMostRows; ++rows) {
        const std::vector<ActivationBlock> tiled = quantized.tiled(rows);
        const std::size_t valid = 1 + rows % 16;
        GuardedMatrix out(rows, kPanelRows + valid);
        run_panel(kernels(), both, tiled.data(), &floats, rows, valid, out);
        GuardedMatrix wanted(rows, kPanelRows + valid);
        GuardedMatrix part(rows, kPanelRows);
        run_panel(kernels(), first, tiled.data(), &floats, rows, kPanelRows, part);
        for (std::size_t r = 0; r < rows; ++r) std::ranges::copy(part.row(r), wanted.row(r).begin());
        run_panel(kernels(), second, tiled.data(), &floats, rows, kPanelRows, part);
        for (std::size_t r = 0; r < rows; ++r)
          std::ranges::copy(part.row(r).first(valid), wanted.row(r).begin() + kPanelRows);
        ASSERT_TRUE(bits_equal(out.view(), wanted.view())) << rows << " rows";
        ASSERT_TRUE(out.guards_intact()) << rows << " rows";
      }
    }
  }
}

CARAT_TEST_ALL_LEVELS(PanelTest);

}  // namespace
}  // namespace carat::kernels
