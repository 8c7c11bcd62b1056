#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/tensor_table.h"

namespace carat::model {

// The matrices that adapters may add to: those of attention and MLP, in TensorId's order.
std::span<const TensorId> adapted_tensors();

// Which half of which addition a tensor of an adapter is.
struct AdapterPlace {
  std::size_t layer = 0;
  TensorId id = TensorId::kQProj;
  bool is_up = false;       // lora_B, [rows, rank]; else lora_A, [rank, columns]
  std::string module = {};  // of the layer, as the file calls it: "model.layers.0.self_attn.q_proj"
};

// "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", also below the prefixes of multimodal
// models. kInvalidModel, beginning with `file`, says what the tensor belongs to instead.
Result<AdapterPlace> adapter_place_from_peft(std::string_view name, std::string_view file);

// "blk.0.attn_q.weight.lora_a"
Result<AdapterPlace> adapter_place_from_gguf(std::string_view name, std::string_view file);

}  // namespace carat::model
