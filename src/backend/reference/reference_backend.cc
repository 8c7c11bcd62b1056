#include "backend/reference/reference_backend.h"

#include <cmath>
#include <cstddef>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "backend/reference/ops.h"
#include "base/check.h"
#include "base/checked_math.h"
#include "tensor/dequantize.h"

namespace carat::backend {
namespace {

class ReferenceLinear final : public Linear {
 public:
  ReferenceLinear(std::size_t rows, std::size_t columns, std::vector<float> weight,
                  std::span<const float> bias)
      : rows_(rows), columns_(columns), weight_(std::move(weight)), bias_(bias.begin(), bias.end()) {}

  std::size_t rows() const override { return rows_; }
  std::size_t columns() const override { return columns_; }
  std::size_t bytes() const override { return (weight_.size() + bias_.size()) * sizeof(float); }

  ConstMatrixF32 weight() const { return {weight_.data(), rows_, columns_}; }
  std::span<const float> bias() const { return bias_; }

 private:
  std::size_t rows_;
  std::size_t columns_;
  std::vector<float> weight_;
  std::vector<float> bias_;
};

const ReferenceLinear& own(const Linear& linear) {
  const auto* const mine = dynamic_cast<const ReferenceLinear*>(&linear);
  CARAT_CHECK(mine != nullptr);
  return *mine;
}

// All values of a stored matrix as f32, read and decoded row by row.
Result<std::vector<float>> read_rows(const tensor::StoredTensor& stored) {
  const auto bytes_per_row = tensor::row_bytes(stored.type, stored.columns);
  const auto count = checked_mul(stored.rows, stored.columns);
  if (!bytes_per_row || !count || *count > std::numeric_limits<std::size_t>::max() / sizeof(float)) {
    return fail(ErrorKind::kInvalidModel, "{}: tensor {}: {} x {} values of {} are no matrix of whole blocks",
                stored.source->name(), stored.name, stored.rows, stored.columns,
                tensor::info(stored.type).name);
  }
  std::vector<float> values;
  try {
    values.resize(*count);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kDoesNotFit, "tensor {}: no memory for {} bytes of f32 weights", stored.name,
                *count * sizeof(float));
  }
  std::vector<std::byte> encoded(*bytes_per_row);
  for (std::uint64_t r = 0; r < stored.rows; ++r) {
    CARAT_TRY_VOID(stored.source->read_at(stored.offset + r * *bytes_per_row, encoded));
    const auto row = std::span(values).subspan(r * stored.columns, stored.columns);
    tensor::dequantize(stored.type, encoded, row);
    if (!stored.row_scales.empty()) tensor::apply_row_scales({&stored.row_scales[r], 1}, row);
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (!std::isfinite(row[c])) {
        return fail(ErrorKind::kInvalidModel,
                    "{}: tensor {}: row {}, column {}: expected a finite value, found {}",
                    stored.source->name(), stored.name, r, c, row[c]);
      }
    }
  }
  return values;
}

class ReferenceBackend final : public Backend {
 public:
  std::string description() const override { return "reference f64, 1 thread"; }

  Rounding arithmetic(Rounding /*allowed*/) const override { return Rounding::kF32; }

  Result<std::unique_ptr<Linear>> pack(const tensor::StoredTensor& weight,
                                       std::span<const float> bias) override {
    CARAT_CHECK(bias.empty() || bias.size() == weight.rows);
    CARAT_TRY(auto values, read_rows(weight));
    for (std::size_t r = 0; r < bias.size(); ++r) {
      if (!std::isfinite(bias[r])) {
        return fail(ErrorKind::kInvalidModel, "{}: bias of {}: row {}: expected a finite value, found {}",
                    weight.source->name(), weight.name, r, bias[r]);
      }
    }
    return std::make_unique<ReferenceLinear>(weight.rows, weight.columns, std::move(values), bias);
  }

  void linear(const LinearInput& input, std::span<const LinearCall> calls) override {
    for (const LinearCall& call : calls) {
      const ReferenceLinear& weights = own(*call.weights);
      reference::linear(input.x, weights.weight(), weights.bias(), call.out);
      for (const LowRank& addition : call.low_rank) {
        reference::add_low_rank(input.x.slice_rows(addition.first_row, addition.row_count),
                                own(*addition.down).weight(), own(*addition.up).weight(), addition.scale,
                                call.out.slice_rows(addition.first_row, addition.row_count));
      }
    }
  }

  void embed(const Linear& table, std::span<const std::int32_t> ids, float scale, MatrixF32 out) override {
    reference::embed(own(table).weight(), ids, scale, out);
  }

  void rms_norm(ConstMatrixF32 x, std::span<const float> weight, float epsilon, MatrixF32 out) override {
    reference::rms_norm(x, weight, epsilon, out);
  }

  void add_rms_norm(ConstMatrixF32 branch, std::span<const float> weight, float epsilon,
                    MatrixF32 x) override {
    reference::add_rms_norm(branch, weight, epsilon, x);
  }

  void layer_norm(ConstMatrixF32 x, std::span<const float> weight, std::span<const float> bias, float epsilon,
                  MatrixF32 out) override {
    reference::layer_norm(x, weight, bias, epsilon, out);
  }

  void head_norm_rope(MatrixF32 x, std::span<const float> weight, float epsilon, const Rotation& rotation,
                      float multiplier) override {
    reference::head_norm_rope(x, weight, epsilon, rotation, multiplier);
  }

  void geglu(MatrixF32 gate, ConstMatrixF32 up) override { reference::geglu(gate, up); }
  void gelu(MatrixF32 x) override { reference::gelu(x); }
  void add(MatrixF32 x, ConstMatrixF32 y) override { reference::add(x, y); }

  void store_kv(ConstMatrixF32 keys, ConstMatrixF32 values, std::span<const std::uint32_t> positions,
                const KvLayer& cache) override {
    reference::store_kv(keys, values, positions, cache);
  }

  void attention(ConstMatrixF32 q, std::size_t heads, const KvLayer& cache, std::span<const KeyRange> visible,
                 MatrixF32 out) override {
    reference::attention(q, heads, cache, visible, out);
  }

  void dense_attention(ConstMatrixF32 q, ConstMatrixF32 k, ConstMatrixF32 v, std::size_t heads,
                       Rounding /*rounding*/, MatrixF32 out) override {
    reference::dense_attention(q, k, v, heads, out);
  }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace carat::backend
