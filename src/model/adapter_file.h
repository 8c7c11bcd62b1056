#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"
#include "formats/tensor_directory.h"
#include "model/adapter_config.h"
#include "model/config.h"
#include "model/tensor_table.h"
#include "tensor/stored_tensor.h"

namespace carat::model {

// What an adapter adds to one matrix [rows, columns] of one layer: scale * up (down x).
struct AdapterEntry {
  std::size_t layer = 0;
  TensorId id = TensorId::kQProj;
  tensor::StoredTensor down;  // [rank, columns]
  tensor::StoredTensor up;    // [rows, rank]
  float scale = 1.0F;

  std::size_t rank() const { return static_cast<std::size_t>(down.rows); }
};

enum class AdapterFormat : std::uint8_t { kPeft, kGguf };

// Whether a path leads to a LoRA adapter rather than a model, as far as a look at its beginning tells.
bool is_adapter(const std::string& path);

// An opened LoRA adapter: its configuration and the places of its matrices, checked against each other; none
// is read yet. Owns the open files.
class AdapterFile {
 public:
  // `path` is a folder with PEFT's adapter_config.json and adapter_model.safetensors, either of these files,
  // or a GGUF file. kNotFound when it does not exist; kInvalidModel, naming file and tensor or field, when
  // anything is missing, unknown, of the wrong shape or type, or more than LoRA on the matrices of attention
  // and MLP.
  static Result<AdapterFile> open(const std::string& path);

  // The same for what is open already; `path` begins error messages.
  static Result<AdapterFile> from_peft(std::string path, AdapterConfig config,
                                       formats::TensorDirectory tensors);
  static Result<AdapterFile> from_gguf(std::string path, const formats::GgufFile& gguf);

  const std::string& path() const { return path_; }
  AdapterFormat format() const { return format_; }
  const AdapterConfig& config() const { return config_; }
  const std::vector<AdapterEntry>& entries() const { return entries_; }  // by layer, then in TensorId's order
  std::uint64_t file_bytes() const { return directory_.file_bytes(); }

  // kInvalidModel, with both shapes or both numbers of layers, when it was trained for another model.
  Result<> check_base(const GemmaConfig& base, std::string_view base_name) const;

  // What the adapter computes, in short: SHA-256 of all matrices as stored, their places and scales. The same
  // numbers have one hash in either format. Reads all matrices; errors are those of reading.
  Result<Sha256Digest> content_hash() const;

 private:
  AdapterFile(std::string path, AdapterFormat format, AdapterConfig config, formats::TensorDirectory tensors);

  static Result<AdapterFile> open_peft(const std::string& path, const std::filesystem::path& folder);
  Result<> collect();
  Result<> check_entry(const AdapterEntry& entry, std::string_view module) const;

  std::string path_;
  AdapterFormat format_;
  AdapterConfig config_;
  formats::TensorDirectory directory_;
  std::vector<AdapterEntry> entries_;
};

}  // namespace carat::model
