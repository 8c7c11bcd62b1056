#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/gguf.h"
#include "model/vision_config.h"

namespace carat::model {

// The image tower that a projector file (mmproj) of llama.cpp describes, validated. kInvalidModel for
// anything that is missing, inconsistent or not Gemma 3's: another architecture, projector or activation.
Result<VisionConfig> vision_config_from_mmproj(const formats::GgufFile& file);

// The same from the metadata of a text model's file that Ollama put the tower into.
Result<VisionConfig> vision_config_from_ollama(const formats::GgufFile& file, std::size_t d_model);

// The same from the text of a multimodal config.json, whose vision_config may leave SigLIP's defaults out.
// `preprocessor` is the text of preprocessor_config.json, for mean and deviation, or empty.
struct VisionJson {
  std::string_view config;
  std::string config_file;  // for messages
  std::string_view preprocessor;
  std::string preprocessor_file;
};
Result<VisionConfig> vision_config_from_hf(const VisionJson& json, std::size_t d_model);

}  // namespace carat::model
