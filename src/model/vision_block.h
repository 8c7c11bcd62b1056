#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "model/vision_packing.h"
#include "model/vision_tensors.h"
#include "tensor/matrix.h"

namespace carat::model {

// Buffers between the operations of the tower. Rows go through the linear layers a chunk at a time, which
// keeps a chunk's activations in the cache while all weights pass by.
struct VisionScratch {
  tensor::OwnedMatrixF32 q;       // [patches, width], later what was attended to
  tensor::OwnedMatrixF32 k;       // [patches, width]
  tensor::OwnedMatrixF32 v;       // [patches, width]
  tensor::OwnedMatrixF32 normed;  // [chunk, width]
  tensor::OwnedMatrixF32 branch;  // [chunk, width]
  tensor::OwnedMatrixF32 hidden;  // [chunk, ffn], padded to whole blocks
};
inline constexpr std::size_t kVisionChunk = 256;

// One layer of the tower: full attention, then an MLP, each after a layer norm and added to the stream.
class VisionBlock {
 public:
  static Result<VisionBlock> load(const VisionTensors& tensors, std::size_t layer, backend::Backend& backend,
                                  VisionPrecision precision);

  // In place on x [patches, width].
  void forward(backend::Backend& ops, VisionScratch& scratch, tensor::MatrixF32 x) const;

  std::size_t weight_bytes() const;

 private:
  VisionBlock() = default;

  std::size_t heads_ = 0;
  float epsilon_ = 0.0F;
  VisionPrecision precision_ = VisionPrecision::kF32;
  std::vector<float> pre_attn_norm_, pre_attn_norm_bias_, pre_mlp_norm_, pre_mlp_norm_bias_;  // [width]
  // The scale of attention scores is part of q_proj. fc1 and fc2 meet in the ffn rounded up to whole blocks.
  std::unique_ptr<backend::Linear> q_proj_, k_proj_, v_proj_, out_proj_, fc1_, fc2_;
};

// The matrix of that tensor with its bias; kInvalidModel as VisionTensors::values.
Result<VisionMatrix> read_matrix(const VisionTensors& tensors, VisionTensorId weight, VisionTensorId bias,
                                 std::size_t layer);

}  // namespace carat::model
