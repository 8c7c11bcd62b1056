#include "backend/cpu/cpu_backend.h"

#include <utility>

#include "backend/cpu/cpu_attention.h"
#include "backend/cpu/cpu_dense_attention.h"
#include "backend/cpu/cpu_linear.h"
#include "backend/cpu/packed_linear.h"
#include "base/checked_math.h"
#include "base/huge_arena.h"
#include "kernels/levels.h"
#include "parallel/thread_pool.h"
#include "tensor/half.h"

namespace carat::backend {
namespace {

// Work below this many floats is done by the calling thread: waking another costs more.
constexpr std::size_t kSerialFloats = 16'384;

class CpuBackend final : public Backend {
 public:
  CpuBackend(const CpuOptions& options, const kernels::Level& level, const kernels::Kernels* bf16_kernels)
      : level_(level),
        bf16_kernels_(bf16_kernels),
        pool_(options.threads),
        linear_(*level.kernels, bf16_kernels, pool_, options.exact_activations),
        attention_(*level.kernels, pool_),
        dense_attention_(*level.kernels, bf16_kernels, pool_) {}

  std::string description() const override {
    return fmt::format("cpu {}, {} thread{}", level_.name, pool_.size(), pool_.size() == 1 ? "" : "s");
  }

  Rounding arithmetic(Rounding allowed) const override {
    return allowed == Rounding::kBf16 && bf16_kernels_ == nullptr ? Rounding::kF32 : allowed;
  }

  Result<std::unique_ptr<Linear>> pack(const tensor::StoredTensor& weight,
                                       std::span<const float> bias) override {
    CARAT_TRY(std::unique_ptr<PackedLinear> packed, PackedLinear::pack(weight, bias, weights_, pool_));
    return packed;
  }

  void linear(const LinearInput& input, std::span<const LinearCall> calls) override {
    linear_.run(input, calls);
  }

  void embed(const Linear& table, std::span<const std::int32_t> ids, float scale, MatrixF32 out) override {
    const auto& packed = static_cast<const PackedLinear&>(table);
    for_rows(out, [&](std::size_t t) {
      const auto id = static_cast<std::size_t>(ids[t]);
      CARAT_CHECK(id < packed.rows());
      const std::span<float> row = out.row(t);
      tensor::unpack_row(packed.layout(), packed.panel(id / tensor::kPanelRows), id % tensor::kPanelRows,
                         row);
      for (float& value : row) value *= scale;
    });
  }

  void rms_norm(ConstMatrixF32 x, std::span<const float> weight, float epsilon, MatrixF32 out) override {
    for_rows(out, [&](std::size_t t) {
      kernels().rms_norm(x.row(t).data(), weight.data(), epsilon, x.columns(), out.row(t).data());
    });
  }

  void add_rms_norm(ConstMatrixF32 branch, std::span<const float> weight, float epsilon,
                    MatrixF32 x) override {
    for_rows(x, [&](std::size_t t) {
      kernels().add_rms_norm(branch.row(t).data(), weight.data(), epsilon, x.columns(), x.row(t).data());
    });
  }

  void layer_norm(ConstMatrixF32 x, std::span<const float> weight, std::span<const float> bias, float epsilon,
                  MatrixF32 out) override {
    for_rows(out, [&](std::size_t t) {
      kernels().layer_norm(x.row(t).data(), weight.data(), bias.data(), epsilon, x.columns(),
                           out.row(t).data());
    });
  }

  void head_norm_rope(MatrixF32 x, std::span<const float> weight, float epsilon, const Rotation& rotation,
                      float multiplier) override {
    const std::size_t head_dim = weight.size();
    for_rows(x, [&](std::size_t t) {
      for (std::size_t column = 0; column < x.columns(); column += head_dim) {
        kernels().head_norm_rope(x.row(t).data() + column, weight.data(), epsilon, head_dim,
                                 rotation.cos.row(t).data(), rotation.sin.row(t).data(), multiplier);
      }
    });
  }

  void geglu(MatrixF32 gate, ConstMatrixF32 up) override {
    for_rows(gate,
             [&](std::size_t t) { kernels().geglu(gate.row(t).data(), up.row(t).data(), gate.columns()); });
  }

  void gelu(MatrixF32 x) override {
    for_rows(x, [&](std::size_t t) { kernels().gelu(x.row(t).data(), x.columns()); });
  }

  void add(MatrixF32 x, ConstMatrixF32 y) override {
    for_rows(x, [&](std::size_t t) { kernels().add(x.row(t).data(), y.row(t).data(), x.columns()); });
  }

  void store_kv(ConstMatrixF32 keys, ConstMatrixF32 values, std::span<const std::uint32_t> positions,
                const KvLayer& cache) override {
    for_rows(keys, [&](std::size_t t) {
      const std::size_t position = positions[t];
      kernels().store_kv(keys.row(t).data(), values.row(t).data(), cache.shape,
                         position % tensor::kKvBlockTokens, cache.block(position / tensor::kKvBlockTokens));
    });
  }

  void attention(ConstMatrixF32 q, std::size_t heads, const KvLayer& cache, std::span<const KeyRange> visible,
                 MatrixF32 out) override {
    attention_.run(q, heads, cache, visible, out);
  }

  void dense_attention(ConstMatrixF32 q, ConstMatrixF32 k, ConstMatrixF32 v, std::size_t heads,
                       Rounding rounding, MatrixF32 out) override {
    dense_attention_.run(q, k, v, heads, rounding, out);
  }

 private:
  const kernels::Kernels& kernels() const { return *level_.kernels; }

  // work(row) for every row of the matrix; rows are independent.
  template <class Matrix, class Work>
  void for_rows(const Matrix& matrix, Work&& work) {
    const std::size_t rows_per_task =
        std::max<std::size_t>(1, kSerialFloats / std::max<std::size_t>(1, matrix.columns()));
    pool_.run(ceil_div(matrix.rows(), rows_per_task), [&](std::size_t task, std::size_t) {
      const std::size_t end = std::min(matrix.rows(), (task + 1) * rows_per_task);
      for (std::size_t row = task * rows_per_task; row < end; ++row) work(row);
    });
  }

  const kernels::Level& level_;
  const kernels::Kernels* bf16_kernels_;  // null: this machine has none, or they were not asked for
  parallel::ThreadPool pool_;
  HugeArena weights_;
  CpuLinear linear_;
  CpuAttention attention_;
  CpuDenseAttention dense_attention_;
};

}  // namespace

Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuOptions& options) {
  const kernels::Level* level = &kernels::best_level();
  const kernels::Kernels* bf16_kernels = kernels::bf16_kernels();
  if (!options.level.empty()) {
    CARAT_TRY(level, kernels::find_level(options.level));
    if (level->kernels != bf16_kernels) bf16_kernels = nullptr;
  }
  return std::make_unique<CpuBackend>(options, *level, bf16_kernels);
}

}  // namespace carat::backend
