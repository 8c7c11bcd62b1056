#include "model/decoder_block.h"

#include <array>
#include <utility>

namespace carat::model {

using backend::LinearCall;
using tensor::MatrixF32;

DecoderBlock::DecoderBlock(const GemmaConfig& config, std::size_t layer)
    : layer_(layer),
      kind_(config.layer_kinds[layer]),
      heads_(config.heads),
      query_scale_(config.query_scale),
      epsilon_(config.norm_epsilon) {}

Result<DecoderBlock> DecoderBlock::load(const Checkpoint& checkpoint, std::size_t layer,
                                        const PackTensor& pack) {
  DecoderBlock block(checkpoint.config(), layer);
  const std::pair<TensorId, std::vector<float>*> norms[] = {
      {TensorId::kPreAttnNorm, &block.pre_attn_norm_},
      {TensorId::kPostAttnNorm, &block.post_attn_norm_},
      {TensorId::kPreMlpNorm, &block.pre_mlp_norm_},
      {TensorId::kPostMlpNorm, &block.post_mlp_norm_},
      {TensorId::kQNorm, &block.q_norm_},
      {TensorId::kKNorm, &block.k_norm_},
  };
  for (const auto& [id, norm] : norms) {
    CARAT_TRY(*norm, checkpoint.vector(id, layer));
  }
  const std::pair<TensorId, std::unique_ptr<backend::Linear>*> matrices[] = {
      {TensorId::kQProj, &block.q_proj_},       {TensorId::kKProj, &block.k_proj_},
      {TensorId::kVProj, &block.v_proj_},       {TensorId::kOProj, &block.o_proj_},
      {TensorId::kGateProj, &block.gate_proj_}, {TensorId::kUpProj, &block.up_proj_},
      {TensorId::kDownProj, &block.down_proj_},
  };
  for (const auto& [id, matrix] : matrices) {
    CARAT_TRY(*matrix, pack(id, layer));
  }
  return block;
}

void DecoderBlock::forward(backend::Backend& ops, const Batch& batch, const StepRows& rows, Scratch& scratch,
                           MatrixF32 x) const {
  const MatrixF32 normed = scratch.normed.resized(x.rows(), x.columns());
  const MatrixF32 branch = scratch.branch.resized(x.rows(), x.columns());
  ops.rms_norm(x, pre_attn_norm_, epsilon_, normed);
  attend(ops, batch, rows, scratch);
  ops.add_rms_norm(branch, post_attn_norm_, epsilon_, x);
  ops.rms_norm(x, pre_mlp_norm_, epsilon_, normed);
  geglu_mlp(ops, batch, rows, scratch);
  ops.add_rms_norm(branch, post_mlp_norm_, epsilon_, x);
}

void DecoderBlock::attend(backend::Backend& ops, const Batch& batch, const StepRows& rows,
                          Scratch& scratch) const {
  const std::size_t tokens = batch.rows.size();
  const MatrixF32 q = scratch.q.resized(tokens, q_proj_->rows());
  const MatrixF32 k = scratch.k.resized(tokens, k_proj_->rows());
  const MatrixF32 v = scratch.v.resized(tokens, v_proj_->rows());
  const MatrixF32 attended = scratch.attended.resized(tokens, q_proj_->rows());

  ops.linear({scratch.normed.view(), rows.outlier_rows()},
             std::array{LinearCall{q_proj_.get(), q, rows.low_rank(TensorId::kQProj, layer_)},
                        LinearCall{k_proj_.get(), k, rows.low_rank(TensorId::kKProj, layer_)},
                        LinearCall{v_proj_.get(), v, rows.low_rank(TensorId::kVProj, layer_)}});
  const backend::Rotation rotation = rows.rotation(kind_);
  ops.head_norm_rope(q, q_norm_, epsilon_, rotation, query_scale_);
  ops.head_norm_rope(k, k_norm_, epsilon_, rotation, 1.0F);
  for (const StepRows::Group& group : rows.groups()) {
    const SequenceKv& sequence = batch.sequences[group.sequence];
    const tensor::KvLayer cache = {
        batch.geometry->shape(),
        kind_ == LayerKind::kGlobal ? sequence.global_blocks : sequence.local_blocks,
        batch.geometry->layer_offset(layer_),
    };
    ops.store_kv(k.slice_rows(group.first, group.count), v.slice_rows(group.first, group.count),
                 rows.positions(group), cache);
    ops.attention(q.slice_rows(group.first, group.count), heads_, cache, rows.visible(group, kind_),
                  attended.slice_rows(group.first, group.count));
  }
  ops.linear(
      {attended, rows.outlier_rows()},
      std::array{LinearCall{o_proj_.get(), scratch.branch.view(), rows.low_rank(TensorId::kOProj, layer_)}});
}

void DecoderBlock::geglu_mlp(backend::Backend& ops, const Batch& batch, const StepRows& rows,
                             Scratch& scratch) const {
  const std::size_t tokens = batch.rows.size();
  const MatrixF32 gate = scratch.gate.resized(tokens, gate_proj_->rows());
  const MatrixF32 up = scratch.up.resized(tokens, up_proj_->rows());
  ops.linear({scratch.normed.view(), rows.outlier_rows()},
             std::array{LinearCall{gate_proj_.get(), gate, rows.low_rank(TensorId::kGateProj, layer_)},
                        LinearCall{up_proj_.get(), up, rows.low_rank(TensorId::kUpProj, layer_)}});
  ops.geglu(gate, up);
  ops.linear({gate, rows.outlier_rows()}, std::array{LinearCall{down_proj_.get(), scratch.branch.view(),
                                                                rows.low_rank(TensorId::kDownProj, layer_)}});
}

std::size_t DecoderBlock::weight_bytes() const {
  std::size_t bytes = 0;
  for (const auto* matrix : {&q_proj_, &k_proj_, &v_proj_, &o_proj_, &gate_proj_, &up_proj_, &down_proj_}) {
    bytes += (*matrix)->bytes();
  }
  for (const auto* norm :
       {&pre_attn_norm_, &post_attn_norm_, &pre_mlp_norm_, &post_mlp_norm_, &q_norm_, &k_norm_}) {
    bytes += norm->size() * sizeof(float);
  }
  return bytes;
}

}  // namespace carat::model
