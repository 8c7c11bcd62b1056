#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "base/sha256.h"
#include "model/adapter_file.h"
#include "model/config.h"
#include "model/tensor_table.h"

namespace carat::model {

// A LoRA adapter in the layout of one backend, which outlives it. It is applied beside the model's weights,
// which may be quantized, and changes none of them.
class Adapter {
 public:
  // Reads and packs every matrix. kInvalidModel when the adapter is for another model or holds values that
  // are not finite, otherwise the errors of reading and of Backend::pack.
  static Result<std::unique_ptr<const Adapter>> load(const AdapterFile& file, const GemmaConfig& base,
                                                     backend::Backend& backend);

  // What it adds to one matrix; `down` is null where it leaves that alone.
  struct Addition {
    std::unique_ptr<backend::Linear> down;  // [rank, columns]
    std::unique_ptr<backend::Linear> up;    // [rows, rank]
    float scale = 1.0F;
  };
  const Addition& addition(TensorId id, std::size_t layer) const {
    return additions_[layer * kTensorIdCount + static_cast<std::size_t>(id)];
  }

  const Sha256Digest& content_hash() const { return content_hash_; }
  std::size_t bytes() const;  // memory held

 private:
  Adapter() = default;

  std::vector<Addition> additions_;  // [layers, kTensorIdCount]
  Sha256Digest content_hash_ = {};
};

}  // namespace carat::model
