#include "images/prepare.h"

#include "images/resize.h"

namespace carat::images {

std::vector<RgbImage> prepare(const RgbImage& image, std::size_t size, const PanAndScanOptions& options) {
  std::vector<RgbImage> views = {resize(image, size, size)};
  for (const CropBox& box : pan_and_scan(image.width, image.height, options)) {
    views.push_back(resize(crop(image, box), size, size));
  }
  return views;
}

}  // namespace carat::images
