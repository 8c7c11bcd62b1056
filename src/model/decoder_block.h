#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "model/batch.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/step_rows.h"
#include "tensor/matrix.h"

namespace carat::model {

// Reads one matrix of a checkpoint into the backend's layout.
using PackTensor = std::function<Result<std::unique_ptr<backend::Linear>>(TensorId, std::size_t layer)>;

// Buffers between the operations of a block, shared by all layers; they grow to the largest batch seen.
struct Scratch {
  tensor::OwnedMatrixF32 normed;    // [tokens, d_model]
  tensor::OwnedMatrixF32 branch;    // [tokens, d_model]
  tensor::OwnedMatrixF32 q;         // [tokens, heads * head_dim]
  tensor::OwnedMatrixF32 k;         // [tokens, kv_heads * head_dim]
  tensor::OwnedMatrixF32 v;         // [tokens, kv_heads * head_dim]
  tensor::OwnedMatrixF32 attended;  // [tokens, heads * head_dim]
  tensor::OwnedMatrixF32 gate;      // [tokens, ffn]
  tensor::OwnedMatrixF32 up;        // [tokens, ffn]
};

// One layer: grouped-query attention with per-head norms, then the gated MLP, each between two RMS norms.
class DecoderBlock {
 public:
  static Result<DecoderBlock> load(const Checkpoint& checkpoint, std::size_t layer, const PackTensor& pack);

  // In place on the residual stream x [tokens, d_model]; writes the rows' keys and values to their caches.
  void forward(backend::Backend& ops, const Batch& batch, const StepRows& rows, Scratch& scratch,
               tensor::MatrixF32 x) const;

  std::size_t weight_bytes() const;

 private:
  DecoderBlock(const GemmaConfig& config, std::size_t layer);

  // attended -> branch [tokens, d_model]
  void attend(backend::Backend& ops, const Batch& batch, const StepRows& rows, Scratch& scratch) const;
  void geglu_mlp(backend::Backend& ops, const Batch& batch, const StepRows& rows, Scratch& scratch) const;

  std::size_t layer_;
  LayerKind kind_;
  std::size_t heads_;
  float query_scale_;
  float epsilon_;
  std::vector<float> pre_attn_norm_, post_attn_norm_, pre_mlp_norm_, post_mlp_norm_;  // [d_model]
  std::vector<float> q_norm_, k_norm_;                                                // [head_dim]
  std::unique_ptr<backend::Linear> q_proj_, k_proj_, v_proj_, o_proj_, gate_proj_, up_proj_, down_proj_;
};

}  // namespace carat::model
