#include "images/codec/pixel_conversion.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace carat::images {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(PixelConversionTest, EveryAlphaOnWhiteIsRoundedToTheNearest) {
  for (int alpha = 0; alpha < 256; ++alpha) {
    for (int value = 0; value < 256; ++value) {
      const std::array samples = {static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(alpha)};
      const double exact = (value * alpha + 255.0 * (255 - alpha)) / 255;
      const RgbImage image = to_rgb(samples, 1, 1, ChannelLayout::kGreyAlpha);
      ASSERT_EQ(image.pixels, Bytes(3, static_cast<std::uint8_t>(std::lround(exact))))
          << value << ' ' << alpha;
    }
  }
}

TEST(PixelConversionTest, InkTakesLightAway) {
  const auto rgb = [](std::array<std::uint8_t, 4> cmyk) {
    return to_rgb(cmyk, 1, 1, ChannelLayout::kCmyk).pixels;
  };
  EXPECT_EQ(rgb({0, 0, 0, 0}), (Bytes{255, 255, 255}));
  EXPECT_EQ(rgb({255, 0, 0, 0}), (Bytes{0, 255, 255}));
  EXPECT_EQ(rgb({0, 0, 0, 255}), (Bytes{0, 0, 0}));
  EXPECT_EQ(rgb({100, 50, 200, 55}), (Bytes{122, 161, 43}));  // 200 - 100 * 200 / 255, ...
}

TEST(PixelConversionTest, SixteenBitsCountWithTheirHighByte) {
  const std::array<std::uint16_t, 3> samples = {0x00FF, 0x7F80, 0xFFFF};
  EXPECT_EQ(to_rgb(samples, 1, 1, ChannelLayout::kRgb).pixels, (Bytes{0, 127, 255}));
}

}  // namespace
}  // namespace carat::images
