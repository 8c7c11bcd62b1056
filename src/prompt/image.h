#pragma once

#include <cstdint>
#include <memory>

#include "base/rgb_image.h"
#include "base/sha256.h"

namespace carat::prompt {

// A decoded picture with what tells it from others: SHA-256 of its size and pixels.
struct Picture {
  RgbImage pixels;
  Sha256Digest digest = {};
};
std::shared_ptr<const Picture> make_picture(RgbImage pixels);

// Of all pictures of one request together: three bytes a pixel.
inline constexpr std::uint64_t kMostPictureBytes = std::uint64_t{1} << 30;

// A picture at its place in a prompt. With pan and scan a long one is also shown as a row of crops.
struct Image {
  std::shared_ptr<const Picture> picture;  // never null
  bool pan_and_scan = false;

  bool operator==(const Image& other) const {
    return picture->digest == other.picture->digest && pan_and_scan == other.pan_and_scan;
  }
};

}  // namespace carat::prompt
