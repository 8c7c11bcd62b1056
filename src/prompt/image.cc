#include "prompt/image.h"

#include <array>
#include <cstdint>
#include <span>
#include <utility>

namespace carat::prompt {

std::shared_ptr<const Picture> make_picture(RgbImage pixels) {
  Sha256 hash;
  const std::array<std::uint64_t, 2> size = {pixels.width, pixels.height};
  hash.update(std::as_bytes(std::span(size)));
  hash.update(std::as_bytes(std::span(pixels.pixels)));
  auto picture = std::make_shared<Picture>();
  picture->digest = hash.finish();
  picture->pixels = std::move(pixels);
  return picture;
}

}  // namespace carat::prompt
