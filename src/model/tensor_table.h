#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"

namespace carat::model {

// The tensors of the text model, in the order in which a forward pass meets them.
enum class TensorId : std::uint8_t {
  kEmbedding,
  kPreAttnNorm,
  kQProj,
  kKProj,
  kVProj,
  kQNorm,
  kKNorm,
  kOProj,
  kPostAttnNorm,
  kPreMlpNorm,
  kGateProj,
  kUpProj,
  kDownProj,
  kPostMlpNorm,
  kFinalNorm,
  kHead,  // only in checkpoints that do not tie it to the embedding
};
inline constexpr std::size_t kTensorIdCount = 16;

enum class Axis : std::uint8_t { kOne, kVocab, kDModel, kQWidth, kKvWidth, kHeadDim, kFfn };

// What the readers, the checker, the quantizer and the planner know about a tensor.
struct TensorInfo {
  TensorId id;
  std::string_view name;       // ours, after the reference
  std::string_view gguf_name;  // {} stands for the layer
  std::string_view hf_name;    // below the checkpoint's prefix of the text model; the head is beside it
  Axis rows;                   // kOne: a vector of `columns`
  Axis columns;                // the input side of a linear layer
  bool per_layer = false;
  bool is_norm = false;  // f32 gain; safetensors hold gain - 1
  bool optional = false;
};

std::span<const TensorInfo> tensor_table();
const TensorInfo& info(TensorId id);

std::size_t extent(Axis axis, const GemmaConfig& config);

// [columns] of a vector, [rows, columns] of a matrix.
std::vector<std::uint64_t> expected_shape(const TensorInfo& tensor, const GemmaConfig& config);

// `pattern` with the layer's number in place of {}.
std::string tensor_name(std::string_view pattern, std::size_t layer);

}  // namespace carat::model
