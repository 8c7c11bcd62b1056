#include "images/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"

namespace carat::images {
namespace {

constexpr std::size_t kChannels = 3;

// Weights are integers of 22 fraction bits: eight bits of pixel and the sign leave that many of 32, with one
// to spare for sums that overshoot.
constexpr int kFractionBits = 22;
constexpr std::int32_t kHalf = 1 << (kFractionBits - 1);

// One output position as a weighted sum of the inputs first, first + 1, ...
struct Taps {
  std::size_t first = 0;
  std::vector<std::int32_t> weights;
};

std::vector<Taps> bilinear_taps(std::size_t inputs, std::size_t outputs) {
  const double scale = static_cast<double>(inputs) / static_cast<double>(outputs);
  const double reach = std::max(scale, 1.0);  // enlarging reads the two neighbours, however close they are
  const double slope = 1.0 / reach;
  std::vector<Taps> taps(outputs);
  std::vector<double> triangle;
  for (std::size_t output = 0; output < outputs; ++output) {
    const double center = (static_cast<double>(output) + 0.5) * scale;
    const auto first = static_cast<std::size_t>(std::max(std::lround(center - reach), 0L));
    const auto last = std::min(static_cast<std::size_t>(std::lround(center + reach)), inputs);
    triangle.clear();
    double sum = 0;
    for (std::size_t input = first; input < last; ++input) {
      const double distance = (static_cast<double>(input) - center + 0.5) * slope;
      triangle.push_back(std::max(1.0 - std::abs(distance), 0.0));
      sum += triangle.back();
    }
    taps[output].first = first;
    for (const double weight : triangle) {
      taps[output].weights.push_back(
          static_cast<std::int32_t>(std::lround(weight / sum * (1 << kFractionBits))));
    }
  }
  return taps;
}

std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

RgbImage resize_rows(const RgbImage& image, std::size_t width) {
  const std::vector<Taps> taps = bilinear_taps(image.width, width);
  RgbImage out{width, image.height, std::vector<std::uint8_t>(width * image.height * kChannels)};
  std::uint8_t* to = out.pixels.data();
  for (std::size_t y = 0; y < image.height; ++y) {
    const std::uint8_t* row = image.pixels.data() + y * image.width * kChannels;
    for (const Taps& tap : taps) {
      const std::uint8_t* from = row + tap.first * kChannels;
      std::int32_t red = kHalf;
      std::int32_t green = kHalf;
      std::int32_t blue = kHalf;
      for (const std::int32_t weight : tap.weights) {
        red += from[0] * weight;
        green += from[1] * weight;
        blue += from[2] * weight;
        from += kChannels;
      }
      to[0] = rounded(red);
      to[1] = rounded(green);
      to[2] = rounded(blue);
      to += kChannels;
    }
  }
  return out;
}

RgbImage resize_columns(const RgbImage& image, std::size_t height) {
  const std::vector<Taps> taps = bilinear_taps(image.height, height);
  const std::size_t row_bytes = image.width * kChannels;
  RgbImage out{image.width, height, std::vector<std::uint8_t>(row_bytes * height)};
  std::vector<std::int32_t> sums(row_bytes);
  for (std::size_t y = 0; y < height; ++y) {
    std::ranges::fill(sums, kHalf);
    const std::uint8_t* from = image.pixels.data() + taps[y].first * row_bytes;
    for (const std::int32_t weight : taps[y].weights) {
      for (std::size_t i = 0; i < row_bytes; ++i) sums[i] += from[i] * weight;
      from += row_bytes;
    }
    std::ranges::transform(sums, out.pixels.data() + y * row_bytes, rounded);
  }
  return out;
}

// Eight bits between the passes make their order visible. This is the order of Pillow 13, found by trying
// both on hundreds of sizes; Pillow up to 12 always begins with the rows, which moves some values by 1.
bool columns_first(const RgbImage& image, std::size_t width, std::size_t height) {
  if (image.height <= height) return false;
  return image.width <= width || image.height - height > 2 * (image.width - width);
}

}  // namespace

RgbImage resize(const RgbImage& image, std::size_t width, std::size_t height) {
  CARAT_CHECK(image.width > 0 && image.height > 0 && width > 0 && height > 0);
  CARAT_CHECK(image.pixels.size() == image.width * image.height * kChannels);
  if (width == image.width && height == image.height) return image;
  if (width == image.width) return resize_columns(image, height);
  if (height == image.height) return resize_rows(image, width);
  return columns_first(image, width, height) ? resize_rows(resize_columns(image, height), width)
                                             : resize_columns(resize_rows(image, width), height);
}

}  // namespace carat::images
