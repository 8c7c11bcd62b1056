#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace carat::hub {

// What `./dev run` downloads, and what is taken where nobody says which model.
inline constexpr std::string_view kDefaultModel = "gemma-3-270m";

struct StoredModel {
  std::string name;            // of the file or folder, without .gguf and the shard number
  std::filesystem::path path;  // what a reader opens: a GGUF file, a first shard or a safetensors folder
  std::vector<std::string> other_names = {};  // by which it was pulled: "gemma3:4b"
};

// One spelling of a model's name: lower case, "gemma3:270m" and "google/gemma-3-270m" as "gemma-3-270m".
std::string canonical_name(std::string_view name);

// The folder that holds this user's models. Looks at the disk at every call.
class ModelStore {
 public:
  explicit ModelStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  const std::filesystem::path& folder() const { return folder_; }

  // All models in the folder and in those of pulled models below it, sorted by name. A folder that does not
  // exist holds none. Image projectors and unfinished pulls are no models.
  std::vector<StoredModel> list() const;

  // What `-m` may say: the path of something that exists, or a name. A name means the model that was pulled
  // by it or is called so, or else the one that only adds to it: "gemma-3-270m" finds gemma-3-270m-Q4_K_M,
  // and prefers it to gemma-3-270m-it-Q4_K_M. kNotFound says where was searched and what to do; kUsage lists
  // the models that a name could mean.
  Result<std::filesystem::path> find(const std::string& name_or_path) const;

  // kDefaultModel if there is such a model, otherwise the only one. Errors as find's.
  Result<std::filesystem::path> find_default() const;

 private:
  Result<std::filesystem::path> find_named(const std::string& asked) const;

  std::filesystem::path folder_;
};

}  // namespace carat::hub
