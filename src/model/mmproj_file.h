#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/result.h"
#include "formats/gguf.h"
#include "model/vision_config.h"

namespace carat::model {

// An opened projector file (mmproj): an image tower for a text model that lies in another file.
struct MmprojFile {
  formats::GgufFile gguf;
  VisionConfig config;
};

// kInvalidModel when the file is none of Gemma 3, or its soft tokens are not `d_model` wide.
Result<MmprojFile> open_mmproj(const std::string& path, std::size_t d_model);

// The projector file that lies beside a model's file: a GGUF file with "mmproj" in its name that fits. Of
// several, the one whose name has most in common with the model's.
struct MmprojSearch {
  std::optional<MmprojFile> file;
  std::string remark;  // why a file that looked like one was not taken; else empty
};
MmprojSearch find_mmproj_beside(const std::string& model_path, std::size_t d_model);

}  // namespace carat::model
