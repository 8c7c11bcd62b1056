#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/tensor_directory.h"
#include "model/vision_config.h"
#include "model/vision_tensor_table.h"
#include "tensor/stored_tensor.h"

namespace carat::model {

// What the files of a checkpoint call its image tower.
struct VisionNames {
  VisionNaming naming = VisionNaming::kMmproj;
  std::string tower_prefix = {};  // of safetensors
  std::string projector_prefix = {};
  float norm_offset = 0.0F;  // what turns the stored soft_token_norm into its gain

  std::string name_of(VisionTensorId id, std::size_t layer) const;
};

// Recognises how the files of a directory name an image tower: in GGUF files, and below any of the prefixes
// that safetensors have had. Without one, the names are those whose absence a message should report.
VisionNames gguf_vision_names(const formats::TensorDirectory& directory, const VisionConfig& config);
VisionNames hf_vision_names(const formats::TensorDirectory& directory);

// Whether a tensor of that name belongs to an image tower or its projector.
bool is_gguf_vision_name(std::string_view name);
bool is_hf_vision_name(std::string_view name);
// SigLIP's pooling head, which Gemma does not use.
bool is_hf_vision_head(std::string_view name);

// The places of an image tower's tensors, checked. The files belong to the directory they were found in,
// which must outlive this.
class VisionTensors {
 public:
  // kInvalidModel, naming file, tensor, expected and actual, when one is missing or of another shape. `path`
  // stands for the files in messages about missing tensors.
  static Result<VisionTensors> find(const formats::TensorDirectory& directory, const VisionConfig& config,
                                    const VisionNames& names, const std::string& path);

  const VisionConfig& config() const { return config_; }
  const std::set<std::string, std::less<>>& names() const { return known_; }  // in the files

  // [rows, columns] as the table says, vectors as one row. `layer` is 0 for those outside layers.
  const tensor::StoredTensor& tensor(VisionTensorId id, std::size_t layer = 0) const;
  // Bytes of the tower and projector in the files.
  std::uint64_t stored_bytes() const;

  // Reads and decodes all values, row by row; of soft_token_norm the full gain. kInvalidModel when one is not
  // finite.
  Result<std::vector<float>> values(VisionTensorId id, std::size_t layer = 0) const;

 private:
  VisionTensors() = default;

  VisionConfig config_;
  float norm_offset_ = 0.0F;
  std::vector<tensor::StoredTensor> tensors_;  // [layers, kVisionTensorIdCount]
  std::set<std::string, std::less<>> known_;
};

}  // namespace carat::model
