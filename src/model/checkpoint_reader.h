#pragma once

#include <filesystem>
#include <functional>
#include <set>
#include <string>

#include "base/result.h"
#include "model/checkpoint.h"
#include "model/mmproj_file.h"

namespace carat::model {

// Fills a Checkpoint: recognises what lies at a path, reads its configuration and finds every tensor.
class CheckpointReader {
 public:
  CheckpointReader(std::string path, const CheckpointOptions& options) : options_(options) {
    checkpoint_.path_ = std::move(path);
  }

  Result<Checkpoint> open();

 private:
  using NameOf = std::function<std::string(const TensorInfo&, std::size_t layer)>;

  Result<> open_gguf_model();
  Result<> open_safetensors_model(const std::filesystem::path& folder);
  Result<> read_chat_template(const std::filesystem::path& folder);
  void find_tuning(const std::filesystem::path& folder);

  Result<> read_gguf_vision();
  Result<> read_hf_vision(const std::filesystem::path& folder, const std::string& config_text);
  Result<> use_vision(const VisionConfig& config, const VisionNames& names);
  Result<> use_mmproj(MmprojFile file);
  // Whether the files that are open now hold an image tower that is wanted.
  Result<bool> wants_inner_tower(bool (*is_vision)(std::string_view)) const;

  // Finds and checks every tensor of the text model's table.
  Result<> find_tensors(const NameOf& name_of);
  Result<> find_tensor(const TensorInfo& tensor, std::size_t layer, const std::string& name);

  // Refuses tensors of neither the text model nor the image tower; `ignored` tells which to leave alone.
  Result<> refuse_unknown(const std::function<bool(std::string_view)>& ignored) const;

  CheckpointOptions options_;
  Checkpoint checkpoint_;
  std::set<std::string, std::less<>> known_;  // names of the text model's tensors
  bool use_head_ = true;                      // false: a head in the files is a copy of the embedding
};

}  // namespace carat::model
