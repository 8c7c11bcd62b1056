#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/checkpoint.h"
#include "quantize/precision.h"
#include "tensor/stored_tensor.h"

namespace carat::quantize {

// One tensor of the new checkpoint: stored as it was, quantized, or small and already computed.
struct OutputTensor {
  std::string name;
  tensor::ElementType type = tensor::ElementType::kF32;
  std::vector<std::uint64_t> shape;
  tensor::StoredTensor source;
  std::optional<std::vector<float>> values = std::nullopt;  // in place of the source: norms, as f32

  bool is_copy() const { return !values && source.type == type; }
  // Scales that follow a tensor of a row-scaled type: one a row, or one for an SFP8 tensor that was
  // quantized.
  std::uint64_t scale_count() const;
  std::uint64_t bytes() const;  // scales included
};

struct OutputTensors {
  std::vector<OutputTensor> tensors;
  std::vector<std::string> remarks;  // what is left out
};

// The tensors of a GGUF file, norms as full gains, or of a safetensors file, norms less 1. A tower that the
// source has inside is copied where source and output have the same format, and left out otherwise.
Result<OutputTensors> gguf_tensors(const model::Checkpoint& source, Precision precision);
Result<OutputTensors> safetensors_tensors(const model::Checkpoint& source, Precision precision);

}  // namespace carat::quantize
