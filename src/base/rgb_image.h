#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace carat {

// A decoded picture: sRGB, eight bits a channel, no alpha.
struct RgbImage {
  std::size_t width = 0;
  std::size_t height = 0;
  std::vector<std::uint8_t> pixels;  // [height, width, 3], rows from the top, contiguous

  bool operator==(const RgbImage&) const = default;
};

}  // namespace carat
