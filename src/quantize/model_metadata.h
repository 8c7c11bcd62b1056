#pragma once

#include <string>

#include "base/result.h"
#include "formats/gguf_writer.h"
#include "model/checkpoint.h"
#include "quantize/precision.h"

namespace carat::quantize {

// Everything of a GGUF file but the tensors, with the keys of llama.cpp: a GGUF source's metadata as they
// are, or those that a safetensors source's configuration and tokenizer.json stand for.
Result<> write_gguf_metadata(const model::Checkpoint& source, Precision precision,
                             formats::GgufWriter& writer);

// The tokenizer.* keys of a GGUF source alone, for a file beside safetensors.
void write_gguf_tokenizer(const formats::GgufFile& source, formats::GgufWriter& writer);

// A config.json of the text model, as the reference's Gemma3ForCausalLM has it.
std::string config_json(const model::GemmaConfig& config, bool tied_head);

}  // namespace carat::quantize
