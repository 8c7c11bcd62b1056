#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/gguf.h"
#include "model/config.h"

namespace carat::model {

// The configuration that a GGUF file's metadata describes, validated. Understands llama.cpp's keys, the
// optional ones for scale, local theta and layer pattern, and files made by Ollama, which lack some keys and
// carry wrong soft-caps. Everything else that is missing, of another type or inconsistent is kInvalidModel.
Result<GemmaConfig> config_from_gguf(const formats::GgufFile& file);

// The same from the text of a Hugging Face config.json: `gemma3_text` (flat) or `gemma3` with a `text_config`
// that may leave defaults out, with either form of the RoPE and layer-pattern fields. `file` is for messages.
struct HfConfig {
  GemmaConfig config;
  bool tied_head = true;  // an lm_head in the checkpoint is then a copy of the embedding
};
Result<HfConfig> config_from_hf(std::string_view json, const std::string& file);

// Whether a name such as "gemma-3-1b-it" says that the model is instruction-tuned (a word it, instruct or
// chat) or that it is not (a word pt, base or pretrained).
std::optional<bool> instruction_tuned_by_name(std::string_view name);

}  // namespace carat::model
