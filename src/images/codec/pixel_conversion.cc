#include "images/codec/pixel_conversion.h"

#include <array>

#include "base/check.h"

namespace carat::images {
namespace {

using Rgb = std::array<std::uint8_t, 3>;

std::uint8_t high_byte(std::uint8_t sample) { return sample; }
std::uint8_t high_byte(std::uint16_t sample) { return static_cast<std::uint8_t>(sample >> 8); }

// value / 255 to the nearest integer, for value up to 255 * 255.
std::uint8_t divide_by_255(unsigned value) { return static_cast<std::uint8_t>((value + 127) / 255); }

std::uint8_t on_white(std::uint8_t value, std::uint8_t alpha) {
  return divide_by_255(value * unsigned{alpha} + 255U * (255U - alpha));
}

std::uint8_t without_ink(std::uint8_t ink, std::uint8_t black) {
  const unsigned paper = 255U - black;
  return static_cast<std::uint8_t>(paper - divide_by_255(ink * paper));
}

Rgb rgb_of(const std::array<std::uint8_t, 4>& p, ChannelLayout layout) {
  switch (layout) {
    case ChannelLayout::kGrey: return {p[0], p[0], p[0]};
    case ChannelLayout::kGreyAlpha: {
      const std::uint8_t grey = on_white(p[0], p[1]);
      return {grey, grey, grey};
    }
    case ChannelLayout::kRgb: return {p[0], p[1], p[2]};
    case ChannelLayout::kRgba: return {on_white(p[0], p[3]), on_white(p[1], p[3]), on_white(p[2], p[3])};
    case ChannelLayout::kCmyk:
      return {without_ink(p[0], p[3]), without_ink(p[1], p[3]), without_ink(p[2], p[3])};
  }
  return {};
}

template <class Sample>
RgbImage convert(std::span<const Sample> samples, std::size_t width, std::size_t height,
                 ChannelLayout layout) {
  const std::size_t channels = channels_of(layout);
  CARAT_CHECK(samples.size() == width * height * channels);
  RgbImage image{width, height, std::vector<std::uint8_t>(width * height * 3)};
  std::uint8_t* out = image.pixels.data();
  for (std::size_t pixel = 0; pixel < width * height; ++pixel) {
    std::array<std::uint8_t, 4> values = {};
    for (std::size_t c = 0; c < channels; ++c) values[c] = high_byte(samples[pixel * channels + c]);
    for (const std::uint8_t value : rgb_of(values, layout)) *out++ = value;
  }
  return image;
}

}  // namespace

std::size_t channels_of(ChannelLayout layout) {
  switch (layout) {
    case ChannelLayout::kGrey: return 1;
    case ChannelLayout::kGreyAlpha: return 2;
    case ChannelLayout::kRgb: return 3;
    case ChannelLayout::kRgba:
    case ChannelLayout::kCmyk: return 4;
  }
  return 0;
}

RgbImage to_rgb(std::span<const std::uint8_t> samples, std::size_t width, std::size_t height,
                ChannelLayout layout) {
  return convert(samples, width, height, layout);
}

RgbImage to_rgb(std::span<const std::uint16_t> samples, std::size_t width, std::size_t height,
                ChannelLayout layout) {
  return convert(samples, width, height, layout);
}

}  // namespace carat::images
