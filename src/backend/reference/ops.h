#pragma once

#include <cstdint>
#include <span>

#include "backend/backend.h"

// The operations of Backend as plain f64 loops, for tests that want one without a backend around it. Shapes
// are those of the methods of the same name in backend/backend.h; a shape that does not fit is a CARAT_CHECK
// failure.
namespace carat::backend::reference {

// out [tokens, rows] = x [tokens, columns] weight^T + bias, where weight is [rows, columns] and bias empty or
// [rows].
void linear(ConstMatrixF32 x, ConstMatrixF32 weight, std::span<const float> bias, MatrixF32 out);

// out [tokens, rows] += scale * x [tokens, columns] down^T up^T, where down is [rank, columns] and up
// [rows, rank].
void add_low_rank(ConstMatrixF32 x, ConstMatrixF32 down, ConstMatrixF32 up, float scale, MatrixF32 out);

void embed(ConstMatrixF32 table, std::span<const std::int32_t> ids, float scale, MatrixF32 out);

void rms_norm(ConstMatrixF32 x, std::span<const float> weight, float epsilon, MatrixF32 out);
void add_rms_norm(ConstMatrixF32 branch, std::span<const float> weight, float epsilon, MatrixF32 x);
void layer_norm(ConstMatrixF32 x, std::span<const float> weight, std::span<const float> bias, float epsilon,
                MatrixF32 out);
void head_norm_rope(MatrixF32 x, std::span<const float> weight, float epsilon, const Rotation& rotation,
                    float multiplier);

void geglu(MatrixF32 gate, ConstMatrixF32 up);
void gelu(MatrixF32 x);
void add(MatrixF32 x, ConstMatrixF32 y);

void store_kv(ConstMatrixF32 keys, ConstMatrixF32 values, std::span<const std::uint32_t> positions,
              const KvLayer& cache);
void attention(ConstMatrixF32 q, std::size_t heads, const KvLayer& cache, std::span<const KeyRange> visible,
               MatrixF32 out);

void dense_attention(ConstMatrixF32 q, ConstMatrixF32 k, ConstMatrixF32 v, std::size_t heads, MatrixF32 out);

}  // namespace carat::backend::reference
