#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace carat::model {

// Everything that sets one image tower (SigLIP, arXiv:2303.15343) and its projector apart from another. An
// image is a square of image_size pixels, cut into square patches; the tower turns each patch into a vector,
// and the projector pools squares of them into soft tokens of the text model.
//
// Words of shapes, besides those of model/config.h:
//   patches  of an image, row by row     width  of the tower's residual stream
struct VisionConfig {
  std::size_t image_size = 0;  // pixels of a side
  std::size_t patch_size = 0;  // pixels of a side, divides image_size
  std::size_t width = 0;
  std::size_t layers = 0;
  std::size_t heads = 0;                           // divides width
  std::size_t ffn = 0;                             // width of the MLP
  std::size_t tokens_per_side = 0;                 // of the square of soft tokens; divides patches_per_side()
  std::size_t d_model = 0;                         // width of a soft token, that of the text model
  float norm_epsilon = 1e-6F;                      // of every norm, the projector's included
  std::array<float, 3> mean = {0.5F, 0.5F, 0.5F};  // a channel enters the tower as (value / 255 - mean) / std
  std::array<float, 3> std = {0.5F, 0.5F, 0.5F};

  std::size_t patches_per_side() const { return image_size / patch_size; }
  std::size_t patches() const { return patches_per_side() * patches_per_side(); }
  std::size_t patch_values() const { return 3 * patch_size * patch_size; }
  std::size_t head_dim() const { return width / heads; }
  std::size_t tokens() const { return tokens_per_side * tokens_per_side; }  // of one image

  bool operator==(const VisionConfig&) const = default;
};

// Accepts every self-consistent shape inside the stated bounds, tiny ones of tests included. The error is
// kInvalidModel and begins with `file`.
Result<> validate(const VisionConfig& config, std::string_view file);

}  // namespace carat::model
