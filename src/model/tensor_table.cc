#include "model/tensor_table.h"

#include <array>

#include "base/check.h"

namespace carat::model {
namespace {

using enum TensorId;

constexpr std::array<TensorInfo, kTensorIdCount> kTable = {{
    {.id = kEmbedding,
     .name = "embedding",
     .gguf_name = "token_embd.weight",
     .hf_name = "embed_tokens.weight",
     .rows = Axis::kVocab,
     .columns = Axis::kDModel},
    {.id = kPreAttnNorm,
     .name = "pre_attn_norm",
     .gguf_name = "blk.{}.attn_norm.weight",
     .hf_name = "layers.{}.input_layernorm.weight",
     .rows = Axis::kOne,
     .columns = Axis::kDModel,
     .per_layer = true,
     .is_norm = true},
    {.id = kQProj,
     .name = "q_proj",
     .gguf_name = "blk.{}.attn_q.weight",
     .hf_name = "layers.{}.self_attn.q_proj.weight",
     .rows = Axis::kQWidth,
     .columns = Axis::kDModel,
     .per_layer = true},
    {.id = kKProj,
     .name = "k_proj",
     .gguf_name = "blk.{}.attn_k.weight",
     .hf_name = "layers.{}.self_attn.k_proj.weight",
     .rows = Axis::kKvWidth,
     .columns = Axis::kDModel,
     .per_layer = true},
    {.id = kVProj,
     .name = "v_proj",
     .gguf_name = "blk.{}.attn_v.weight",
     .hf_name = "layers.{}.self_attn.v_proj.weight",
     .rows = Axis::kKvWidth,
     .columns = Axis::kDModel,
     .per_layer = true},
    {.id = kQNorm,
     .name = "q_norm",
     .gguf_name = "blk.{}.attn_q_norm.weight",
     .hf_name = "layers.{}.self_attn.q_norm.weight",
     .rows = Axis::kOne,
     .columns = Axis::kHeadDim,
     .per_layer = true,
     .is_norm = true},
    {.id = kKNorm,
     .name = "k_norm",
     .gguf_name = "blk.{}.attn_k_norm.weight",
     .hf_name = "layers.{}.self_attn.k_norm.weight",
     .rows = Axis::kOne,
     .columns = Axis::kHeadDim,
     .per_layer = true,
     .is_norm = true},
    {.id = kOProj,
     .name = "o_proj",
     .gguf_name = "blk.{}.attn_output.weight",
     .hf_name = "layers.{}.self_attn.o_proj.weight",
     .rows = Axis::kDModel,
     .columns = Axis::kQWidth,
     .per_layer = true},
    {.id = kPostAttnNorm,
     .name = "post_attn_norm",
     .gguf_name = "blk.{}.post_attention_norm.weight",
     .hf_name = "layers.{}.post_attention_layernorm.weight",
     .rows = Axis::kOne,
     .columns = Axis::kDModel,
     .per_layer = true,
     .is_norm = true},
    {.id = kPreMlpNorm,
     .name = "pre_mlp_norm",
     .gguf_name = "blk.{}.ffn_norm.weight",
     .hf_name = "layers.{}.pre_feedforward_layernorm.weight",
     .rows = Axis::kOne,
     .columns = Axis::kDModel,
     .per_layer = true,
     .is_norm = true},
    {.id = kGateProj,
     .name = "gate_proj",
     .gguf_name = "blk.{}.ffn_gate.weight",
     .hf_name = "layers.{}.mlp.gate_proj.weight",
     .rows = Axis::kFfn,
     .columns = Axis::kDModel,
     .per_layer = true},
    {.id = kUpProj,
     .name = "up_proj",
     .gguf_name = "blk.{}.ffn_up.weight",
     .hf_name = "layers.{}.mlp.up_proj.weight",
     .rows = Axis::kFfn,
     .columns = Axis::kDModel,
     .per_layer = true},
    {.id = kDownProj,
     .name = "down_proj",
     .gguf_name = "blk.{}.ffn_down.weight",
     .hf_name = "layers.{}.mlp.down_proj.weight",
     .rows = Axis::kDModel,
     .columns = Axis::kFfn,
     .per_layer = true},
    {.id = kPostMlpNorm,
     .name = "post_mlp_norm",
     .gguf_name = "blk.{}.post_ffw_norm.weight",
     .hf_name = "layers.{}.post_feedforward_layernorm.weight",
     .rows = Axis::kOne,
     .columns = Axis::kDModel,
     .per_layer = true,
     .is_norm = true},
    {.id = kFinalNorm,
     .name = "final_norm",
     .gguf_name = "output_norm.weight",
     .hf_name = "norm.weight",
     .rows = Axis::kOne,
     .columns = Axis::kDModel,
     .is_norm = true},
    {.id = kHead,
     .name = "head",
     .gguf_name = "output.weight",
     .hf_name = "lm_head.weight",
     .rows = Axis::kVocab,
     .columns = Axis::kDModel,
     .optional = true},
}};

constexpr bool in_order_of_ids() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].id) != i) return false;
  }
  return true;
}
static_assert(in_order_of_ids());

}  // namespace

std::span<const TensorInfo> tensor_table() { return kTable; }

const TensorInfo& info(TensorId id) { return kTable[static_cast<std::size_t>(id)]; }

std::size_t extent(Axis axis, const GemmaConfig& config) {
  switch (axis) {
    case Axis::kOne: return 1;
    case Axis::kVocab: return config.vocab;
    case Axis::kDModel: return config.d_model;
    case Axis::kQWidth: return config.q_width();
    case Axis::kKvWidth: return config.kv_width();
    case Axis::kHeadDim: return config.head_dim;
    case Axis::kFfn: return config.ffn;
  }
  CARAT_CHECK(false);
  return 0;
}

std::vector<std::uint64_t> expected_shape(const TensorInfo& tensor, const GemmaConfig& config) {
  if (tensor.rows == Axis::kOne) return {extent(tensor.columns, config)};
  return {extent(tensor.rows, config), extent(tensor.columns, config)};
}

std::string tensor_name(std::string_view pattern, std::size_t layer) {
  const std::size_t place = pattern.find("{}");
  if (place == std::string_view::npos) return std::string(pattern);
  return fmt::format("{}{}{}", pattern.substr(0, place), layer, pattern.substr(place + 2));
}

}  // namespace carat::model
