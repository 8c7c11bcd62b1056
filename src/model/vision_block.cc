#include "model/vision_block.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <utility>

#include "base/checked_math.h"

namespace carat::model {
namespace {

using backend::LinearCall;
using tensor::ElementType;
using tensor::MatrixF32;

// Columns of a block of int8 weights.
constexpr std::size_t kBlockColumns = 32;

// int8 where whole blocks make up a row, which holds for the published tower.
ElementType stored_type(VisionPrecision precision, std::size_t columns) {
  if (precision == VisionPrecision::kF32) return ElementType::kF32;
  const bool int8 = precision == VisionPrecision::kInt8 && columns % kBlockColumns == 0;
  return int8 ? ElementType::kQ8_0 : ElementType::kBF16;
}

// work(first, count) for each chunk of the rows.
template <class Work>
void for_chunks(std::size_t rows, Work&& work) {
  for (std::size_t first = 0; first < rows; first += kVisionChunk) {
    work(first, std::min(kVisionChunk, rows - first));
  }
}

}  // namespace

Result<VisionMatrix> read_matrix(const VisionTensors& tensors, VisionTensorId weight, VisionTensorId bias,
                                 std::size_t layer) {
  const tensor::StoredTensor& stored = tensors.tensor(weight, layer);
  VisionMatrix matrix{.name = stored.name,
                      .rows = static_cast<std::size_t>(stored.rows),
                      .columns = static_cast<std::size_t>(stored.columns)};
  CARAT_TRY(matrix.values, tensors.values(weight, layer));
  CARAT_TRY(matrix.bias, tensors.values(bias, layer));
  return matrix;
}

Result<VisionBlock> VisionBlock::load(const VisionTensors& tensors, std::size_t layer,
                                      backend::Backend& backend, VisionPrecision precision) {
  using enum VisionTensorId;
  const VisionConfig& config = tensors.config();
  VisionBlock block;
  block.heads_ = config.heads;
  block.epsilon_ = config.norm_epsilon;
  block.precision_ = precision;
  const std::pair<VisionTensorId, std::vector<float>*> norms[] = {
      {kPreAttnNorm, &block.pre_attn_norm_},
      {kPreAttnNormBias, &block.pre_attn_norm_bias_},
      {kPreMlpNorm, &block.pre_mlp_norm_},
      {kPreMlpNormBias, &block.pre_mlp_norm_bias_},
  };
  for (const auto& [id, norm] : norms) {
    CARAT_TRY(*norm, tensors.values(id, layer));
  }
  const std::size_t ffn_padding = round_up(config.ffn, kBlockColumns) - config.ffn;
  struct Matrix {
    VisionTensorId weight, bias;
    std::unique_ptr<backend::Linear>* packed;
  };
  const Matrix matrices[] = {{kQProj, kQBias, &block.q_proj_}, {kKProj, kKBias, &block.k_proj_},
                             {kVProj, kVBias, &block.v_proj_}, {kOutProj, kOutBias, &block.out_proj_},
                             {kFc1, kFc1Bias, &block.fc1_},    {kFc2, kFc2Bias, &block.fc2_}};
  for (const auto& [weight, bias, packed] : matrices) {
    CARAT_TRY(VisionMatrix matrix, read_matrix(tensors, weight, bias, layer));
    if (weight == kQProj) matrix.scale(1.0F / std::sqrt(static_cast<float>(config.head_dim())));
    if (weight == kFc1) matrix.append_rows(ffn_padding);
    if (weight == kFc2) matrix.append_columns(ffn_padding);
    CARAT_TRY(*packed, pack(backend, matrix, stored_type(precision, matrix.columns)));
  }
  return block;
}

void VisionBlock::forward(backend::Backend& ops, VisionScratch& scratch, MatrixF32 x) const {
  const std::size_t width = x.columns();
  const MatrixF32 q = scratch.q.resized(x.rows(), width);
  const MatrixF32 k = scratch.k.resized(x.rows(), width);
  const MatrixF32 v = scratch.v.resized(x.rows(), width);
  const auto linear = [&](tensor::ConstMatrixF32 input, std::initializer_list<LinearCall> calls) {
    ops.linear({input, {}, linear_rounding(precision_)}, calls);
  };
  for_chunks(x.rows(), [&](std::size_t first, std::size_t count) {
    const MatrixF32 normed = scratch.normed.resized(count, width);
    ops.layer_norm(x.slice_rows(first, count), pre_attn_norm_, pre_attn_norm_bias_, epsilon_, normed);
    linear(normed, {LinearCall{q_proj_.get(), q.slice_rows(first, count)},
                    LinearCall{k_proj_.get(), k.slice_rows(first, count)},
                    LinearCall{v_proj_.get(), v.slice_rows(first, count)}});
  });
  ops.dense_attention(q, k, v, heads_, attention_rounding(precision_), q);
  for_chunks(x.rows(), [&](std::size_t first, std::size_t count) {
    const MatrixF32 stream = x.slice_rows(first, count);
    const MatrixF32 normed = scratch.normed.resized(count, width);
    const MatrixF32 branch = scratch.branch.resized(count, width);
    const MatrixF32 hidden = scratch.hidden.resized(count, fc1_->rows());
    linear(q.slice_rows(first, count), {LinearCall{out_proj_.get(), branch}});
    ops.add(stream, branch);
    ops.layer_norm(stream, pre_mlp_norm_, pre_mlp_norm_bias_, epsilon_, normed);
    linear(normed, {LinearCall{fc1_.get(), hidden}});
    ops.gelu(hidden);
    linear(hidden, {LinearCall{fc2_.get(), branch}});
    ops.add(stream, branch);
  });
}

std::size_t VisionBlock::weight_bytes() const {
  std::size_t bytes = 0;
  for (const auto* matrix : {&q_proj_, &k_proj_, &v_proj_, &out_proj_, &fc1_, &fc2_}) {
    bytes += (*matrix)->bytes();
  }
  for (const auto* norm : {&pre_attn_norm_, &pre_attn_norm_bias_, &pre_mlp_norm_, &pre_mlp_norm_bias_}) {
    bytes += norm->size() * sizeof(float);
  }
  return bytes;
}

}  // namespace carat::model
