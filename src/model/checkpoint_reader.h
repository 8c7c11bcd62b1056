#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/result.h"
#include "model/checkpoint.h"

namespace carat::model {

// Fills a Checkpoint: recognises what lies at a path, reads its configuration and finds every tensor.
class CheckpointReader {
 public:
  explicit CheckpointReader(std::string path) { checkpoint_.path_ = std::move(path); }

  Result<Checkpoint> open();

 private:
  using NameOf = std::function<std::string(const TensorInfo&, std::size_t layer)>;

  Result<> open_gguf_model();
  Result<> open_safetensors_model(const std::filesystem::path& folder);
  Result<> read_chat_template(const std::filesystem::path& folder);
  void find_tuning(const std::filesystem::path& folder);

  // Finds and checks every tensor of the table; `is_vision` tells names to leave alone, any other is unknown.
  Result<> find_tensors(const NameOf& name_of, const std::function<bool(std::string_view)>& is_vision);
  Result<> find_tensor(const TensorInfo& tensor, std::size_t layer, const std::string& name);

  Checkpoint checkpoint_;
  bool use_head_ = true;  // false: a head in the files is a copy of the embedding
};

}  // namespace carat::model
