#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace carat::hub {

enum class ModelOrigin : std::uint8_t { kStore, kHuggingFace, kOllama, kLmStudio, kLlamaCpp };
std::string_view to_text(ModelOrigin origin);

// A model that another program downloaded, by its place alone: no file was opened but Ollama's manifests.
struct CachedModel {
  std::string name;  // as that program calls it: "org/repo", "org/repo/file.gguf", "gemma3:4b"
  ModelOrigin origin = ModelOrigin::kStore;
  std::filesystem::path path;  // a GGUF file or a safetensors folder
};

// Where other programs keep their models.
struct CacheFolders {
  std::filesystem::path hugging_face;            // models--org--repo/snapshots/REVISION
  std::filesystem::path ollama;                  // manifests and blobs
  std::vector<std::filesystem::path> lm_studio;  // publisher/repo/file.gguf
  std::filesystem::path llama_cpp;               // file.gguf

  // As these programs find them: HF_HUB_CACHE, HF_HOME, OLLAMA_MODELS, LLAMA_CACHE, XDG_CACHE_HOME, or below
  // `home`.
  static CacheFolders from_environment(
      const std::function<std::optional<std::string>(const char* name)>& environment,
      const std::filesystem::path& home);
};

// All models in these folders, sorted by name; nothing is written. Looks at 20,000 entries at most.
std::vector<CachedModel> cached_models(const CacheFolders& folders);

// The file name of the blob that holds the model of an Ollama manifest; nullopt when it has none, an Error
// for what is no manifest. `place` is for messages.
Result<std::optional<std::string>> model_blob_name(const std::string& manifest, const std::string& place);

}  // namespace carat::hub
