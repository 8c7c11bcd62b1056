#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/checkpoint.h"

namespace carat::hub {

// What a list of models says about one.
struct ModelSummary {
  std::uint64_t bytes = 0;  // of its files
  std::string precision;    // as people know it: "Q4_K_M", or the type that most of the linear layers have
  bool has_vision = false;
  bool instruction_tuned = false;
  std::string remark;  // why a projector file beside the model is not taken; usually empty
};

// The family of a GGUF file or safetensors folder that is not Gemma 3, such as "llama". A few kilobytes are
// read, and nullopt also means that these did not tell.
std::optional<std::string> foreign_family(const std::filesystem::path& path);

// Reads headers and checks them as loading does, but no weights; `look` gets the opened model. nullopt when
// the files hold a model of another family, which takes a few hundred bytes to see; kInvalidModel when they
// are damaged.
Result<std::optional<ModelSummary>> summarize_model(
    const std::filesystem::path& path, const std::function<void(const model::Checkpoint&)>& look = {});

}  // namespace carat::hub
