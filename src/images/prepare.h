#pragma once

#include <cstddef>
#include <vector>

#include "base/rgb_image.h"
#include "images/pan_and_scan.h"

namespace carat::images {

// What the vision encoder is shown of one picture: the whole of it, then its crops in order, each resized to
// size x size without regard to its shape.
std::vector<RgbImage> prepare(const RgbImage& image, std::size_t size, const PanAndScanOptions& options);

}  // namespace carat::images
