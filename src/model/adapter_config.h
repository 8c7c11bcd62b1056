#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "formats/gguf.h"

namespace carat::model {

// Published adapters have ranks of 4 to 256.
inline constexpr std::size_t kMaxAdapterRank = 1024;

// What a LoRA adapter (arXiv:2106.09685) says of itself beside its matrices: y += scale * up (down x), where
// the scale comes from alpha and the rank.
struct AdapterConfig {
  // Alphas, or ranks, of the modules whose names end in the text, in order: the first that fits counts.
  template <class T>
  using Pattern = std::vector<std::pair<std::string, T>>;

  std::size_t rank = 0;          // 0: only the matrices say it
  float alpha = 0.0F;            // 0: the scale is 1
  bool rank_stabilized = false;  // rsLoRA (arXiv:2312.03732): alpha / sqrt(rank), not alpha / rank
  Pattern<std::size_t> ranks = {};
  Pattern<float> alphas = {};
  std::string base_model = {};  // the name or path of what it was trained on; may be empty

  // `module` is the reference's name of a matrix, "model.layers.0.self_attn.q_proj".
  std::size_t rank_of(std::string_view module) const;
  float scale_of(std::string_view module, std::size_t matrix_rank) const;
};

// Reads PEFT's adapter_config.json; `file` begins error messages. kInvalidModel names every kind of adapter
// that is more than two matrices beside a matrix of the decoder: DoRA, modules_to_save, biases and others.
Result<AdapterConfig> adapter_config_from_peft(std::string_view text, const std::string& file);

// Reads the metadata of an adapter as llama.cpp's converter writes it. kInvalidModel for anything but a LoRA
// adapter of a Gemma 3 model.
Result<AdapterConfig> adapter_config_from_gguf(const formats::GgufFile& gguf);

}  // namespace carat::model
