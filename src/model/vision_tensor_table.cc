#include "model/vision_tensor_table.h"

#include <array>

#include "base/check.h"
#include "model/tensor_table.h"

namespace carat::model {
namespace {

using enum VisionTensorId;

constexpr std::array<VisionTensorInfo, kVisionTensorIdCount> kTable = {{
    {.id = kPatchEmbedding,
     .name = "patch_embedding",
     .mmproj_name = "v.patch_embd.weight",
     .ollama_name = "v.patch_embedding.weight",
     .hf_name = "embeddings.patch_embedding.weight",
     .rows = VisionAxis::kWidth,
     .columns = VisionAxis::kPatchValues},
    {.id = kPatchBias,
     .name = "patch_bias",
     .mmproj_name = "v.patch_embd.bias",
     .ollama_name = "v.patch_embedding.bias",
     .hf_name = "embeddings.patch_embedding.bias",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth},
    {.id = kPositions,
     .name = "positions",
     .mmproj_name = "v.position_embd.weight",
     .ollama_name = "v.position_embedding.weight",
     .hf_name = "embeddings.position_embedding.weight",
     .rows = VisionAxis::kPatches,
     .columns = VisionAxis::kWidth},
    {.id = kPreAttnNorm,
     .name = "pre_attn_norm",
     .mmproj_name = "v.blk.{}.ln1.weight",
     .ollama_name = "v.blk.{}.layer_norm1.weight",
     .hf_name = "encoder.layers.{}.layer_norm1.weight",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kPreAttnNormBias,
     .name = "pre_attn_norm_bias",
     .mmproj_name = "v.blk.{}.ln1.bias",
     .ollama_name = "v.blk.{}.layer_norm1.bias",
     .hf_name = "encoder.layers.{}.layer_norm1.bias",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kQProj,
     .name = "q_proj",
     .mmproj_name = "v.blk.{}.attn_q.weight",
     .ollama_name = "v.blk.{}.attn_q.weight",
     .hf_name = "encoder.layers.{}.self_attn.q_proj.weight",
     .rows = VisionAxis::kWidth,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kQBias,
     .name = "q_bias",
     .mmproj_name = "v.blk.{}.attn_q.bias",
     .ollama_name = "v.blk.{}.attn_q.bias",
     .hf_name = "encoder.layers.{}.self_attn.q_proj.bias",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kKProj,
     .name = "k_proj",
     .mmproj_name = "v.blk.{}.attn_k.weight",
     .ollama_name = "v.blk.{}.attn_k.weight",
     .hf_name = "encoder.layers.{}.self_attn.k_proj.weight",
     .rows = VisionAxis::kWidth,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kKBias,
     .name = "k_bias",
     .mmproj_name = "v.blk.{}.attn_k.bias",
     .ollama_name = "v.blk.{}.attn_k.bias",
     .hf_name = "encoder.layers.{}.self_attn.k_proj.bias",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kVProj,
     .name = "v_proj",
     .mmproj_name = "v.blk.{}.attn_v.weight",
     .ollama_name = "v.blk.{}.attn_v.weight",
     .hf_name = "encoder.layers.{}.self_attn.v_proj.weight",
     .rows = VisionAxis::kWidth,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kVBias,
     .name = "v_bias",
     .mmproj_name = "v.blk.{}.attn_v.bias",
     .ollama_name = "v.blk.{}.attn_v.bias",
     .hf_name = "encoder.layers.{}.self_attn.v_proj.bias",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kOutProj,
     .name = "out_proj",
     .mmproj_name = "v.blk.{}.attn_out.weight",
     .ollama_name = "v.blk.{}.attn_output.weight",
     .hf_name = "encoder.layers.{}.self_attn.out_proj.weight",
     .rows = VisionAxis::kWidth,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kOutBias,
     .name = "out_bias",
     .mmproj_name = "v.blk.{}.attn_out.bias",
     .ollama_name = "v.blk.{}.attn_output.bias",
     .hf_name = "encoder.layers.{}.self_attn.out_proj.bias",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kPreMlpNorm,
     .name = "pre_mlp_norm",
     .mmproj_name = "v.blk.{}.ln2.weight",
     .ollama_name = "v.blk.{}.layer_norm2.weight",
     .hf_name = "encoder.layers.{}.layer_norm2.weight",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kPreMlpNormBias,
     .name = "pre_mlp_norm_bias",
     .mmproj_name = "v.blk.{}.ln2.bias",
     .ollama_name = "v.blk.{}.layer_norm2.bias",
     .hf_name = "encoder.layers.{}.layer_norm2.bias",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kFc1,
     .name = "fc1",
     .mmproj_name = "v.blk.{}.ffn_up.weight",
     .ollama_name = "v.blk.{}.mlp.fc1.weight",
     .hf_name = "encoder.layers.{}.mlp.fc1.weight",
     .rows = VisionAxis::kFfn,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kFc1Bias,
     .name = "fc1_bias",
     .mmproj_name = "v.blk.{}.ffn_up.bias",
     .ollama_name = "v.blk.{}.mlp.fc1.bias",
     .hf_name = "encoder.layers.{}.mlp.fc1.bias",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kFfn,
     .per_layer = true},
    {.id = kFc2,
     .name = "fc2",
     .mmproj_name = "v.blk.{}.ffn_down.weight",
     .ollama_name = "v.blk.{}.mlp.fc2.weight",
     .hf_name = "encoder.layers.{}.mlp.fc2.weight",
     .rows = VisionAxis::kWidth,
     .columns = VisionAxis::kFfn,
     .per_layer = true},
    {.id = kFc2Bias,
     .name = "fc2_bias",
     .mmproj_name = "v.blk.{}.ffn_down.bias",
     .ollama_name = "v.blk.{}.mlp.fc2.bias",
     .hf_name = "encoder.layers.{}.mlp.fc2.bias",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth,
     .per_layer = true},
    {.id = kPostNorm,
     .name = "post_norm",
     .mmproj_name = "v.post_ln.weight",
     .ollama_name = "v.post_layernorm.weight",
     .hf_name = "post_layernorm.weight",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth},
    {.id = kPostNormBias,
     .name = "post_norm_bias",
     .mmproj_name = "v.post_ln.bias",
     .ollama_name = "v.post_layernorm.bias",
     .hf_name = "post_layernorm.bias",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth},
    {.id = kSoftTokenNorm,
     .name = "soft_token_norm",
     .mmproj_name = "mm.soft_emb_norm.weight",
     .ollama_name = "mm.mm_soft_emb_norm.weight",
     .hf_name = "mm_soft_emb_norm.weight",
     .rows = VisionAxis::kOne,
     .columns = VisionAxis::kWidth,
     .of_projector = true},
    {.id = kProjection,
     .name = "projection",
     .mmproj_name = "mm.input_projection.weight",
     .ollama_name = "mm.mm_input_projection.weight",
     .hf_name = "mm_input_projection_weight",
     .rows = VisionAxis::kWidth,
     .columns = VisionAxis::kDModel,
     .of_projector = true},
}};

constexpr bool in_order_of_ids() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].id) != i) return false;
  }
  return true;
}
static_assert(in_order_of_ids());

VisionTensorId with_mlp_swapped(VisionTensorId id) {
  switch (id) {
    case kFc1: return kFc2;
    case kFc1Bias: return kFc2Bias;
    case kFc2: return kFc1;
    case kFc2Bias: return kFc1Bias;
    default: return id;
  }
}

}  // namespace

std::span<const VisionTensorInfo> vision_tensor_table() { return kTable; }

const VisionTensorInfo& info(VisionTensorId id) { return kTable[static_cast<std::size_t>(id)]; }

std::string vision_tensor_name(VisionTensorId id, VisionNaming naming, std::size_t layer) {
  switch (naming) {
    case VisionNaming::kMmproj: return tensor_name(info(id).mmproj_name, layer);
    case VisionNaming::kMmprojSwapped: return tensor_name(info(with_mlp_swapped(id)).mmproj_name, layer);
    case VisionNaming::kOllama: return tensor_name(info(id).ollama_name, layer);
    case VisionNaming::kHf: return tensor_name(info(id).hf_name, layer);
  }
  CARAT_CHECK(false);
  return {};
}

std::size_t extent(VisionAxis axis, const VisionConfig& config) {
  switch (axis) {
    case VisionAxis::kOne: return 1;
    case VisionAxis::kPatchValues: return config.patch_values();
    case VisionAxis::kPatches: return config.patches();
    case VisionAxis::kWidth: return config.width;
    case VisionAxis::kFfn: return config.ffn;
    case VisionAxis::kDModel: return config.d_model;
  }
  CARAT_CHECK(false);
  return 0;
}

std::vector<std::uint64_t> expected_shape(const VisionTensorInfo& tensor, const VisionConfig& config) {
  if (tensor.id == kPatchEmbedding) return {config.width, 3, config.patch_size, config.patch_size};
  if (tensor.rows == VisionAxis::kOne) return {extent(tensor.columns, config)};
  return {extent(tensor.rows, config), extent(tensor.columns, config)};
}

}  // namespace carat::model
