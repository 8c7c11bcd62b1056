#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dense_layout.h"
#include "kernels/encode_kernels.h"
#include "tensor/kv_block.h"
#include "tensor/panel.h"

namespace carat::kernels {

// 32 activations of one row, quantized: x ~ scale * code with codes in [-127, 127]. One cache line, so that a
// kernel follows one pointer. Sums stand in for the offsets and mins of the weights.
struct alignas(64) ActivationBlock {
  std::int32_t quads[8];  // 4 int8 codes each, in memory order
  float scale;
  float scaled_sum;               // scale * sum of the codes
  std::int32_t neg_sum;           // minus the sum of the codes
  std::int32_t neg_half_sums[2];  // the same for the first and the last 16 columns
  float scaled_half_sums[2];
};
static_assert(sizeof(ActivationBlock) == 64);

// Rows per tile of quantized activations: block b of row r lies at index ((r / tile) * blocks + b) * tile + r
// % tile. Up to kSmallBatch rows form one tile of 1, 2 or 4; more rows form tiles of 8. The last tile is
// padded.
inline constexpr std::size_t kActivationTile = 8;
inline constexpr std::size_t kSmallBatch = 4;
constexpr std::size_t activation_tile(std::size_t rows) {
  if (rows > kSmallBatch) return kActivationTile;
  return rows == 3 ? 4 : rows;
}

// One panel of 16 weight rows, or two that follow one another, times all activation rows: out[r][lane] for
// lanes < valid.
struct PanelJob {
  const tensor::PanelLayout* layout = nullptr;
  const std::byte* panel = nullptr;
  std::size_t panel_count = 1;                   // 1 or 2
  const ActivationBlock* activations = nullptr;  // integer types
  const float* const* rows = nullptr;            // float types: pointers to rows of [columns]
  // BF16 panels where Kernels::rounds_bf16, instead of rows: row r is the pairs at bf16_rows + r *
  // bf16_pairs(columns).
  const std::uint32_t* bf16_rows = nullptr;
  std::size_t row_count = 0;
  float* const* out = nullptr;  // per row, where lane 0 of this panel goes
  std::size_t out_offset = 0;   // floats added to each of them
  const float* bias = nullptr;  // bias[out_offset + lane] is added to the sums of the first bias_rows rows
  std::size_t bias_rows = 0;
  std::size_t valid = 0;         // lanes that exist, 1..16 of the last panel and 16 of one before
  std::byte* scratch = nullptr;  // scratch_bytes(layout), 64-byte aligned
};

// Words of two bfloat16 in a row of that many columns: whole vectors, zeros at the end.
constexpr std::size_t bf16_pairs(std::size_t columns) { return (columns + 31) / 32 * 16; }

// Integer types: room for two panels with their codes one byte each and their scales and mins in f32. SFP8:
// room for a panel decoded into bfloat16.
constexpr std::size_t scratch_bytes(const tensor::PanelLayout& layout) {
  if (layout.type == tensor::ElementType::kSFP8) return (layout.columns + 3) / 4 * 128;
  if (layout.is_float) return 0;
  return 2 * (layout.columns * 16 + layout.columns / layout.block * 2 * 64);
}

// One part of attention: up to kAttentionTile queries over the keys of blocks [first_block, last_block).
inline constexpr std::size_t kAttentionTile = 8;
// Keys per part; partial results are merged in order of position, wherever the parts were computed.
inline constexpr std::size_t kSegmentBlocks = 8;

struct AttentionJob {
  const float* queries[kAttentionTile];  // [head_dim] each, scaled
  tensor::KeyRange visible[kAttentionTile];
  std::size_t query_count = 0;
  const tensor::KvLayer* cache = nullptr;
  std::size_t kv_head = 0;
  std::size_t first_block = 0;
  std::size_t last_block = 0;
};

// A partial softmax-weighted sum: values [head_dim] = sum of exp(score - maximum) * value, weight = sum of
// the exponentials. weight == 0: no key was visible.
struct AttentionPartial {
  float maximum;
  float weight;
  float* values;
};

// The serial kernels of one instruction-set level. All levels give the same bits, but for the bfloat16 panels
// of avx512bf16, which round activations to bfloat16.
struct Kernels {
  const char* level;
  bool rounds_bf16;  // BF16 panels are multiplied with rows rounded to bfloat16

  // out = x * weight / sqrt(mean(x^2) + epsilon), [n]; out may be x.
  void (*rms_norm)(const float* x, const float* weight, float epsilon, std::size_t n, float* out);
  // x += branch * weight / sqrt(mean(branch^2) + epsilon)
  void (*add_rms_norm)(const float* branch, const float* weight, float epsilon, std::size_t n, float* x);
  // out = (x - mean) / sqrt(variance + epsilon) * weight + bias; out may be x.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float epsilon, std::size_t n,
                     float* out);
  // Norm over [head_dim], rotation of the pairs (i, i + head_dim / 2), times multiplier; in place.
  void (*head_norm_rope)(float* x, const float* weight, float epsilon, std::size_t head_dim, const float* cos,
                         const float* sin, float multiplier);
  // gate = gelu_tanh(gate) * up
  void (*geglu)(float* gate, const float* up, std::size_t n);
  void (*gelu)(float* x, std::size_t n);
  void (*add)(float* x, const float* y, std::size_t n);
  // x += factor * y
  void (*add_scaled)(float* x, const float* y, float factor, std::size_t n);

  // Blocks b of x [columns] to out[b * stride]; residual [columns], where given, gets x minus what was
  // stored.
  void (*quantize)(const float* x, std::size_t columns, ActivationBlock* out, std::size_t stride,
                   float* residual);
  // x [columns] rounded to bfloat16: bf16_pairs(columns) words.
  void (*round_bf16)(const float* x, std::size_t columns, std::uint32_t* out);
  void (*panel)(const PanelJob& job);

  // One position's keys and values [kv_heads * head_dim] into `slot` of a block.
  void (*store_kv)(const float* keys, const float* values, const tensor::KvShape& shape, std::size_t slot,
                   std::byte* block);
  // Fills partials[0 .. query_count).
  void (*attend)(const AttentionJob& job, AttentionPartial* partials);
  // into = the softmax-weighted sum over the keys of both; `into` holds the earlier positions.
  void (*merge)(AttentionPartial& into, const AttentionPartial& later, std::size_t head_dim);
  // out = values / weight
  void (*finish)(const AttentionPartial& partial, std::size_t head_dim, float* out);

  DenseKernels dense_f32;
  DenseKernels dense_bf16;
  DenseKernels dense_int8;

  EncodeKernels encode;
};

}  // namespace carat::kernels
