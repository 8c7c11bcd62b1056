#pragma once

#include <cstddef>
#include <vector>

#include "base/rgb_image.h"

namespace carat::images {

// Pan and scan: a long picture is also shown to the model as a row (or column) of crops. The rules and
// defaults are those of the reference's image processor.
struct PanAndScanOptions {
  bool enabled = false;
  std::size_t min_crop_size = 256;  // pixels; no crop has a shorter side, but for the last one
  std::size_t max_crops = 4;
  double min_ratio = 1.2;  // of the long side to the short one, below which there are no crops
};

// A part of a picture, in pixels from its upper left corner; never empty and never outside.
struct CropBox {
  std::size_t x = 0;
  std::size_t y = 0;
  std::size_t width = 0;
  std::size_t height = 0;

  bool operator==(const CropBox&) const = default;
};

// The crops of a picture of that size, from left to right or from top to bottom; empty where it needs none or
// where they are not enabled. Both sides and both sizes of the options must be at least 1.
std::vector<CropBox> pan_and_scan(std::size_t width, std::size_t height, const PanAndScanOptions& options);

RgbImage crop(const RgbImage& image, const CropBox& box);

}  // namespace carat::images
