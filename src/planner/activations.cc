#include "planner/activations.h"

#include <algorithm>

#include "base/checked_math.h"
#include "base/huge_buffer.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "model/vision_block.h"

namespace carat::planner {
namespace {

using kernels::ActivationBlock;

constexpr std::size_t kBlockColumns = 32;  // of one ActivationBlock

// An OwnedMatrixF32: its rows are padded to 16 floats.
std::uint64_t matrix_f32(std::uint64_t rows, std::uint64_t columns) {
  return rows * round_up(columns, 16) * sizeof(float);
}

std::uint64_t quantized_rows(std::size_t rows, std::size_t columns) {
  return HugeBuffer::resident_bytes(round_up(rows, kernels::activation_tile(rows)) *
                                    ceil_div(columns, kBlockColumns) * sizeof(ActivationBlock));
}

// Partial results of attention while decoding, when the keys are split into segments.
std::uint64_t attention_segments(const model::GemmaConfig& config, std::size_t context) {
  const std::size_t segment = kernels::kSegmentBlocks * tensor::kKvBlockTokens;
  const std::size_t tiles =
      config.kv_heads * ceil_div(config.heads / config.kv_heads, kernels::kAttentionTile);
  return tiles * ceil_div(context, segment) * matrix_f32(kernels::kAttentionTile, config.head_dim);
}

// Packed keys and values, in f32 where bfloat16 has no instructions: the larger of what may happen.
std::uint64_t dense_attention(const model::VisionConfig& config, model::VisionPrecision precision) {
  const bool int8 = precision == model::VisionPrecision::kInt8;
  const kernels::DenseLayout layout{.type = int8 ? kernels::DenseType::kInt8 : kernels::DenseType::kF32,
                                    .tokens = config.patches(),
                                    .head_dim = config.head_dim()};
  return HugeBuffer::resident_bytes(config.heads * layout.bytes());
}

}  // namespace

std::uint64_t activation_bytes(const model::GemmaConfig& config, const TextWeights& weights,
                               const PlanRequest& request) {
  const std::size_t tokens = std::min(request.prefill_chunk, request.context_length);
  std::uint64_t bytes = 3 * matrix_f32(tokens, config.d_model);  // residual, normed, branch
  bytes += 2 * matrix_f32(tokens, config.q_width());             // q, attended
  bytes += 2 * matrix_f32(tokens, config.kv_width());            // k, v
  bytes += 2 * matrix_f32(tokens, config.ffn);                   // gate, up
  bytes += 4 * matrix_f32(tokens, config.head_dim / 2);          // cos and sin of two kinds of layer
  const std::size_t read_rows = std::min(std::max(request.logit_rows, request.users), model::kHeadRows);
  bytes += matrix_f32(read_rows, config.d_model) + matrix_f32(read_rows, config.vocab);
  bytes += matrix_f32(std::max(request.logit_rows, request.users), config.vocab);  // the copies handed out
  if (weights.widest_integer_row > 0) {
    // The first row of a conversation is held in two terms, with exact activations every row.
    const std::size_t rows = request.exact_activations ? 2 * tokens : tokens + 1;
    bytes += quantized_rows(rows, weights.widest_integer_row);
    if (request.exact_activations) bytes += 2 * matrix_f32(tokens, config.ffn);
  }
  // kernels::scratch_bytes(), a thread.
  const std::uint64_t panel = std::max(weights.widest_integer_row * 40, weights.widest_float_row * 32);
  bytes += request.threads * panel;
  return bytes + attention_segments(config, request.context_length);
}

std::uint64_t vision_activation_bytes(const model::VisionConfig& config, model::VisionPrecision precision) {
  const std::size_t chunk = std::min(model::kVisionChunk, config.patches());
  const std::size_t ffn = round_up(config.ffn, kBlockColumns);
  std::uint64_t bytes = 4 * matrix_f32(config.patches(), config.width);  // residual, q, k, v
  bytes += dense_attention(config, precision);
  bytes += 2 * matrix_f32(chunk, config.width);  // normed, branch
  bytes += matrix_f32(chunk, ffn) + matrix_f32(chunk, config.patch_values());
  bytes += matrix_f32(config.tokens(), config.width) + matrix_f32(config.tokens(), config.d_model);
  if (precision == model::VisionPrecision::kInt8) bytes += quantized_rows(chunk, ffn);
  if (precision == model::VisionPrecision::kBf16)
    bytes += HugeBuffer::resident_bytes(chunk * kernels::bf16_pairs(ffn) * sizeof(std::uint32_t));
  return bytes + 3 * config.image_size * config.image_size;  // the picture
}

}  // namespace carat::planner
