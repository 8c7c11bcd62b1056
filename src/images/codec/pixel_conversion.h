#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/rgb_image.h"

namespace carat::images {

// The meaning of the channels of a decoded picture.
enum class ChannelLayout { kGrey, kGreyAlpha, kRgb, kRgba, kCmyk };

std::size_t channels_of(ChannelLayout layout);

// The picture as sRGB with eight bits, as Pillow's convert("RGB") makes it, but with alpha composited on
// white:
//   CMYK   naive: each colour is what its ink and the black ink leave of the paper
//   alpha  (value * alpha + 255 * (255 - alpha)) / 255, rounded to the nearest
//   samples  [height, width, channels], contiguous; those of 16 bits count with their high byte
RgbImage to_rgb(std::span<const std::uint8_t> samples, std::size_t width, std::size_t height,
                ChannelLayout layout);
RgbImage to_rgb(std::span<const std::uint16_t> samples, std::size_t width, std::size_t height,
                ChannelLayout layout);

}  // namespace carat::images
