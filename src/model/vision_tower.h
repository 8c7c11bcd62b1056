#pragma once

#include <cstddef>
#include <memory>
#include <stop_token>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "base/rgb_image.h"
#include "model/model.h"
#include "model/vision_block.h"
#include "model/vision_packing.h"
#include "model/vision_tensors.h"
#include "tensor/matrix.h"

namespace carat::model {

// An image tower and its projector, packed for one backend: pictures in, soft tokens of the text model out.
// Holds weights and scratch. One caller at a time.
class VisionTower {
 public:
  // Reads and packs every tensor; the checkpoint is not needed afterwards. kInterrupted when `stop` is
  // requested, otherwise the errors of VisionTensors::values and Backend::pack. The backend outlives the
  // tower.
  static Result<std::unique_ptr<VisionTower>> load(const VisionTensors& tensors, backend::Backend& backend,
                                                   VisionPrecision precision, const LoadProgress& progress,
                                                   const std::stop_token& stop);

  const VisionConfig& config() const { return config_; }
  VisionPrecision precision() const { return precision_; }
  std::size_t weight_bytes() const;  // memory held by packed weights

  // The soft tokens of a picture of image_size x image_size pixels, as they enter the text model's residual
  // stream: out [tokens(), d_model]. kInterrupted when `stop` is requested, looked at between layers.
  Result<> encode(const RgbImage& image, const std::stop_token& stop, tensor::MatrixF32 out);

 private:
  VisionTower(const VisionConfig& config, backend::Backend& backend, VisionPrecision precision);

  void embed_patches(const RgbImage& image, tensor::MatrixF32 x);
  void project(tensor::ConstMatrixF32 x, tensor::MatrixF32 out);

  VisionConfig config_;
  backend::Backend& backend_;
  VisionPrecision precision_;
  std::unique_ptr<backend::Linear> patch_embedding_;  // [width, patch_values]
  std::vector<float> positions_;                      // [patches, width]
  std::vector<VisionBlock> blocks_;
  std::vector<float> post_norm_, post_norm_bias_;  // [width]
  std::vector<float> soft_token_norm_;             // [width]
  std::unique_ptr<backend::Linear> projection_;    // [d_model, width]

  VisionScratch scratch_;
  tensor::OwnedMatrixF32 residual_;  // [patches, width]
  tensor::OwnedMatrixF32 unfolded_;  // [chunk, patch_values]
  tensor::OwnedMatrixF32 pooled_;    // [tokens, width]
};

}  // namespace carat::model
