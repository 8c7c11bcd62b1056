#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "formats/gguf.h"
#include "formats/tensor_directory.h"
#include "model/config.h"
#include "model/tensor_table.h"
#include "model/vision_tensors.h"
#include "tensor/stored_tensor.h"

namespace carat::model {

// The tokenizer inside a GGUF file: three arrays of equal length, never longer than the embedding has rows
// (they may be shorter, by rows that pad the embedding). The texts are views into the checkpoint.
struct VocabularyArrays {
  std::vector<std::string_view> texts;
  std::vector<float> scores;
  std::vector<std::int32_t> types;  // 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
};
// Where a safetensors checkpoint has its tokenizer.
struct TokenizerJson {
  std::string path;
};

// Where the image tower of a model comes from.
struct CheckpointOptions {
  // A projector file (mmproj). Empty: the tower inside the model's files, or the projector file beside a GGUF
  // file. kNoMmproj: no tower, even if there is one.
  std::string mmproj = {};
};
inline constexpr std::string_view kNoMmproj = "none";

// An opened model: configuration and the places of all tensors, checked against each other; no weight is read
// yet. Owns the open files, so it must outlive the StoredTensors it gives out.
class Checkpoint {
 public:
  // `path` is a GGUF file or any shard of one, a folder with config.json and safetensors, or a safetensors
  // file beside its config.json. kNotFound when it does not exist; kInvalidModel, naming file, field or
  // tensor, expected and actual, when anything is missing, unknown, repeated or of another shape, in
  // an image tower too; kUsage when a projector file is named for a model that has a tower inside.
  static Result<Checkpoint> open(const std::string& path, const CheckpointOptions& options = {});

  const std::string& path() const { return path_; }
  const GemmaConfig& config() const { return config_; }
  const formats::TensorDirectory& files() const {
    return directory_;
  }  // everything, the image tower included

  // Whether the checkpoint has it; always true but for optional tensors. `layer` is 0 for those outside
  // layers.
  bool has(TensorId id, std::size_t layer = 0) const;

  // [rows, columns] as the table says, vectors as one row. kInvalidModel when the checkpoint does not have
  // it.
  Result<tensor::StoredTensor> tensor(TensorId id, std::size_t layer = 0) const;

  // Reads a vector: for norms the full gain, 1 + w, whichever of the two the file stores. kInvalidModel when
  // a value is not finite.
  Result<std::vector<float>> vector(TensorId id, std::size_t layer = 0) const;

  // kInvalidModel when the file holds no usable tokenizer of Gemma's kind, kNotFound when there is none
  // beside it.
  Result<std::variant<VocabularyArrays, TokenizerJson>> vocabulary() const;

  // Null when the model is text-only; config().vision tells the same.
  const VisionTensors* vision() const { return vision_ ? &*vision_ : nullptr; }
  // Why a projector file that lies beside the model was not taken; else empty.
  const std::string& vision_remark() const { return vision_remark_; }

  // The metadata of a GGUF model; null for safetensors.
  const formats::GgufFile* gguf() const { return gguf_ ? &*gguf_ : nullptr; }
  // A GGUF file without tensors that stands for tokenizer.json in a folder of safetensors; null where there
  // is none.
  const formats::GgufFile* tokenizer_gguf() const { return tokenizer_gguf_ ? &*tokenizer_gguf_ : nullptr; }

  // As written in the files. Only to be looked at: it is a program, and Carat runs none from a model.
  const std::optional<std::string>& chat_template() const { return chat_template_; }

 private:
  friend class CheckpointReader;
  Checkpoint() = default;

  std::string path_;
  GemmaConfig config_;
  formats::TensorDirectory directory_;
  std::vector<std::optional<tensor::StoredTensor>> tensors_;  // [layers, kTensorIdCount]
  float norm_offset_ = 0.0F;                                  // what turns a stored norm into its gain
  std::optional<VisionTensors> vision_;
  std::string vision_remark_;
  std::optional<formats::GgufFile> gguf_;  // its metadata; the tensors are in directory_
  std::optional<formats::GgufFile> tokenizer_gguf_;
  std::optional<std::string> tokenizer_json_;
  std::optional<std::string> chat_template_;
};

}  // namespace carat::model
