#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/vision_config.h"

namespace carat::model {

// The tensors of the image tower and its projector, in the order in which an image meets them.
enum class VisionTensorId : std::uint8_t {
  kPatchEmbedding,
  kPatchBias,
  kPositions,
  kPreAttnNorm,
  kPreAttnNormBias,
  kQProj,
  kQBias,
  kKProj,
  kKBias,
  kVProj,
  kVBias,
  kOutProj,
  kOutBias,
  kPreMlpNorm,
  kPreMlpNormBias,
  kFc1,
  kFc1Bias,
  kFc2,
  kFc2Bias,
  kPostNorm,
  kPostNormBias,
  kSoftTokenNorm,  // the projector's; safetensors hold gain - 1
  kProjection,     // the one matrix that files store as [input, output]
};
inline constexpr std::size_t kVisionTensorIdCount = 23;

// How a file names them.
enum class VisionNaming : std::uint8_t {
  kMmproj,         // llama.cpp's projector file
  kMmprojSwapped,  // the same with the names of the two MLP layers exchanged, as its first converters had it
  kOllama,         // inside the text model's GGUF file
  kHf,             // safetensors, below the checkpoint's prefixes
};

enum class VisionAxis : std::uint8_t { kOne, kPatchValues, kPatches, kWidth, kFfn, kDModel };

struct VisionTensorInfo {
  VisionTensorId id;
  std::string_view name;         // ours
  std::string_view mmproj_name;  // {} stands for the layer
  std::string_view ollama_name;
  std::string_view hf_name;  // below the tower's prefix, or the projector's
  VisionAxis rows;           // kOne: a vector of `columns`
  VisionAxis columns;
  bool per_layer = false;
  bool of_projector = false;
};

std::span<const VisionTensorInfo> vision_tensor_table();
const VisionTensorInfo& info(VisionTensorId id);

// As in a file of that naming; of safetensors without the prefix.
std::string vision_tensor_name(VisionTensorId id, VisionNaming naming, std::size_t layer);

std::size_t extent(VisionAxis axis, const VisionConfig& config);

// As files have it: [columns] of a vector, [rows, columns] of a matrix, [width, 3, patch_size, patch_size] of
// the patch embedding, whose patch values run by channel, then row by row.
std::vector<std::uint64_t> expected_shape(const VisionTensorInfo& tensor, const VisionConfig& config);

}  // namespace carat::model
