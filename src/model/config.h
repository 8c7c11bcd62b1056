#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/vision_config.h"

namespace carat::model {

// Words of the shape notation used in this folder, as in `[tokens, heads, head_dim]`, outermost first:
//   tokens    rows of a batch                 d_model   width of the residual stream
//   heads     query heads of a layer          kv_heads  key and value heads of a layer
//   head_dim  width of one head               ffn       width of the gated MLP
//   vocab     rows of the embedding           layers    decoder blocks

enum class LayerKind : std::uint8_t {
  kLocal,   // attends to the sliding_window latest positions, the query's own included
  kGlobal,  // attends to every earlier position
};

// Everything that sets one Gemma 3 text model apart from another. The code asks these fields and never a
// name.
struct GemmaConfig {
  std::string name = {};  // for people, e.g. "Gemma 3 270m"; may be empty

  std::size_t layers = 0;
  std::size_t d_model = 0;
  std::size_t heads = 0;
  std::size_t kv_heads = 0;  // divides heads; query head h reads KV head h / (heads / kv_heads)
  std::size_t head_dim = 0;  // even; heads * head_dim need not be d_model
  std::size_t ffn = 0;
  std::size_t vocab = 0;        // embedding rows; may exceed the tokenizer's size by padding rows
  std::size_t max_context = 0;  // positions the model was trained for

  float norm_epsilon = 1e-6F;
  std::size_t sliding_window = 0;           // keys a local layer sees
  std::vector<LayerKind> layer_kinds = {};  // [layers]
  float rope_theta_local = 10'000.0F;       // of local layers, whose positions are never scaled
  float rope_theta_global = 1'000'000.0F;
  float rope_factor_global = 1.0F;    // global layers rotate by position / factor
  float query_scale = 0.0F;           // multiplies q after norm and rotation, e.g. 1/16
  bool embedding_scale_bf16 = false;  // round sqrt(d_model) to bf16, as the bf16 reference does

  bool instruction_tuned = false;             // trained on the turn format, as far as the files tell
  std::string instruction_tuned_source = {};  // what says so, e.g. "general.finetune is 'it'"
  std::optional<VisionConfig> vision = {};    // of the checkpoint's image tower, where it has one

  bool is_global(std::size_t layer) const { return layer_kinds[layer] == LayerKind::kGlobal; }
  std::size_t q_width() const { return heads * head_dim; }
  std::size_t kv_width() const { return kv_heads * head_dim; }
  // What token embeddings, and only they, are multiplied by: sqrt(d_model).
  float embedding_scale() const;
};

// 1 to 128 layers; readers check it before they size the layer pattern by it.
Result<> validate_layer_count(std::size_t layers, std::string_view file);

// Accepts every self-consistent shape inside the stated bounds, tiny ones of tests included. The error is
// kInvalidModel and begins with `file`.
Result<> validate(const GemmaConfig& config, std::string_view file);

// Layer i is global when (i + 1) is a multiple of `period`: the Gemma 3 pattern for period 6. period >= 1.
std::vector<LayerKind> periodic_layer_kinds(std::size_t layers, std::size_t period);

}  // namespace carat::model
