#pragma once

#include <cstddef>

#include "base/rgb_image.h"

namespace carat::images {

// The picture at another size by antialiased bilinear interpolation, bit for bit what Pillow
// 13's Image.resize(BILINEAR) gives for RGB: the triangle filter is as wide as the reduction, rows and
// columns are resampled one after the other, and the picture between the two passes has eight bits. All four
// sides must be at least 1. Serial; about 10 ns per input pixel.
RgbImage resize(const RgbImage& image, std::size_t width, std::size_t height);

}  // namespace carat::images
