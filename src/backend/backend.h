#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "tensor/kv_block.h"
#include "tensor/matrix.h"
#include "tensor/stored_tensor.h"

namespace carat::backend {

using tensor::ConstMatrixF32;
using tensor::KeyRange;
using tensor::KvLayer;
using tensor::MatrixF32;

// A linear layer's weights [rows, columns] and optional bias [rows], in the layout of the backend that packed
// them.
class Linear {
 public:
  virtual ~Linear() = default;
  virtual std::size_t rows() const = 0;
  virtual std::size_t columns() const = 0;
  virtual std::size_t bytes() const = 0;  // memory held
};

// A low-rank addition to a linear layer (LoRA, arXiv:2106.09685) for some rows of its input:
// y[t, :] += scale * up (down x[t, :]) for rows t in [first_row, first_row + row_count).
struct LowRank {
  const Linear* down = nullptr;  // [rank, columns]
  const Linear* up = nullptr;    // [rows, rank]
  float scale = 1.0F;
  std::size_t first_row = 0;
  std::size_t row_count = 0;
};

// The coarsest numbers that an operation may round its inputs to where that is faster: a choice of the model,
// which knows what its quality bears.
enum class Rounding : std::uint8_t { kF32, kBf16, kInt8 };

// Rows of activations that go into a linear layer.
struct LinearInput {
  ConstMatrixF32 x;  // [tokens, columns]
  // Per token, non-zero where the row holds outliers (Gemma's BOS position) and a quantizing backend must
  // represent it in two terms. Empty: no such row.
  std::span<const std::uint8_t> outlier_rows;
  // For weights of bfloat16: kF32, or kBf16 where activations may be bfloat16 too. Quantized weights always
  // meet quantized activations, others never.
  Rounding rounding = Rounding::kF32;
};

// One product of a group that shares its input: out [tokens, rows] = x W^T + bias, then the low-rank
// additions in their order.
struct LinearCall {
  const Linear* weights = nullptr;
  MatrixF32 out;
  std::span<const LowRank> low_rank = {};
  // Columns of out that are wanted: bit r % 32 of word r / 32 is column r. Others, and those beyond the last
  // word, may be left as they were. Empty: all are wanted.
  std::span<const std::uint32_t> wanted = {};
};

// Rotation angles of the rows of a batch: cos, sin [tokens, head_dim / 2].
struct Rotation {
  ConstMatrixF32 cos;
  ConstMatrixF32 sin;
};

// The operations that a model is written in. All matrices are f32, rows contiguous; outputs may not overlap
// inputs unless stated. Results do not depend on how rows are grouped into calls or on the number of threads.
// Not thread-safe: one caller at a time.
class Backend {
 public:
  virtual ~Backend() = default;

  // For people: "cpu avx512vnni, 2 threads".
  virtual std::string description() const = 0;

  // What operations that allow this rounding multiply: kBf16 stands for f32 where that is no faster here.
  virtual Rounding arithmetic(Rounding allowed) const = 0;

  // Reads a stored matrix and converts it into this backend's layout without loss. bias is empty or [rows].
  // kInvalidModel for values that are not finite, kDoesNotFit when memory is refused.
  virtual Result<std::unique_ptr<Linear>> pack(const tensor::StoredTensor& weight,
                                               std::span<const float> bias) = 0;

  virtual void linear(const LinearInput& input, std::span<const LinearCall> calls) = 0;

  // out [tokens, columns]: row t is row ids[t] of the table times scale. Every id < table.rows().
  virtual void embed(const Linear& table, std::span<const std::int32_t> ids, float scale, MatrixF32 out) = 0;

  // out[t, :] = x[t, :] * weight / sqrt(mean(x[t, :]^2) + epsilon); out may be x.
  virtual void rms_norm(ConstMatrixF32 x, std::span<const float> weight, float epsilon, MatrixF32 out) = 0;

  // x[t, :] += rms_norm(branch)[t, :], the residual step of a Gemma block; one pass over memory.
  virtual void add_rms_norm(ConstMatrixF32 branch, std::span<const float> weight, float epsilon,
                            MatrixF32 x) = 0;

  // out = (x - mean) / sqrt(variance + epsilon) * weight + bias, per row; out may be x.
  virtual void layer_norm(ConstMatrixF32 x, std::span<const float> weight, std::span<const float> bias,
                          float epsilon, MatrixF32 out) = 0;

  // Per token and head of x [tokens, heads * head_dim], in place: RMS norm over head_dim with weight
  // [head_dim], rotation of element pairs (i, i + head_dim / 2), then the multiplier.
  virtual void head_norm_rope(MatrixF32 x, std::span<const float> weight, float epsilon,
                              const Rotation& rotation, float multiplier) = 0;

  // gate = gelu_tanh(gate) * up, element by element: 0.5 g (1 + tanh(sqrt(2 / pi) (g + 0.044715 g^3))) * u.
  virtual void geglu(MatrixF32 gate, ConstMatrixF32 up) = 0;

  // x = gelu_tanh(x), as above.
  virtual void gelu(MatrixF32 x) = 0;

  // x += y
  virtual void add(MatrixF32 x, ConstMatrixF32 y) = 0;

  // Writes keys and values [tokens, kv_heads * head_dim] to the cache at positions[t].
  virtual void store_kv(ConstMatrixF32 keys, ConstMatrixF32 values, std::span<const std::uint32_t> positions,
                        const KvLayer& cache) = 0;

  // Attention of q [tokens, heads * head_dim], already scaled, over the cached positions visible[t] of one
  // sequence; query head h reads KV head h / (heads / kv_heads). Softmax over the range, values weighted.
  // out [tokens, heads * head_dim]. Every range is non-empty and every block it touches is present.
  virtual void attention(ConstMatrixF32 q, std::size_t heads, const KvLayer& cache,
                         std::span<const KeyRange> visible, MatrixF32 out) = 0;

  // Attention of every row over every row, without a cache: per head, out = softmax(q k^T) v over its columns
  // of q, k, v and out, all [tokens, heads * head_dim]; q is already scaled. out may be q. k and v have the
  // same stride. `rounding` is allowed in q, k, v and the weights. Rows are not to be split into calls.
  virtual void dense_attention(ConstMatrixF32 q, ConstMatrixF32 k, ConstMatrixF32 v, std::size_t heads,
                               Rounding rounding, MatrixF32 out) = 0;
};

}  // namespace carat::backend
