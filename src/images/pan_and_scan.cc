#include "images/pan_and_scan.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/checked_math.h"

namespace carat::images {

std::vector<CropBox> pan_and_scan(std::size_t width, std::size_t height, const PanAndScanOptions& options) {
  CARAT_CHECK(width > 0 && height > 0 && options.min_crop_size > 0 && options.max_crops > 0);
  if (!options.enabled) return {};
  const bool landscape = width >= height;
  const std::size_t length = landscape ? width : height;
  const std::size_t breadth = landscape ? height : width;
  const double ratio = static_cast<double>(length) / static_cast<double>(breadth);
  if (ratio < options.min_ratio) return {};

  // As many nearly square crops as the picture is long, within the limits; a half rounds up.
  auto count = static_cast<std::size_t>(std::floor(ratio + 0.5));
  count = std::max<std::size_t>(std::min(count, length / options.min_crop_size), 2);
  count = std::min(count, options.max_crops);
  const std::size_t step = ceil_div(length, count);
  if (std::min(step, breadth) < options.min_crop_size) return {};

  std::vector<CropBox> boxes;
  for (std::size_t start = 0; start < length; start += step) {
    const std::size_t extent = std::min(step, length - start);
    boxes.push_back(landscape ? CropBox{start, 0, extent, breadth} : CropBox{0, start, breadth, extent});
  }
  return boxes;
}

RgbImage crop(const RgbImage& image, const CropBox& box) {
  CARAT_CHECK(box.x + box.width <= image.width && box.y + box.height <= image.height);
  RgbImage out{box.width, box.height, {}};
  out.pixels.reserve(box.width * box.height * 3);
  for (std::size_t y = box.y; y < box.y + box.height; ++y) {
    const auto row = image.pixels.begin() + static_cast<std::ptrdiff_t>((y * image.width + box.x) * 3);
    out.pixels.insert(out.pixels.end(), row, row + static_cast<std::ptrdiff_t>(box.width * 3));
  }
  return out;
}

}  // namespace carat::images
