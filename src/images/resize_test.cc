#include "images/resize.h"

#include <gtest/gtest.h>

#include <string>

#include "images/test_pictures.h"

namespace carat::images {
namespace {

TEST(ResizeTest, GivesTheBytesOfPillow) {
  auto lines = fixture_lines("resize.txt");
  ASSERT_GT(lines.size(), 150U);
  for (auto& line : lines) {
    SCOPED_TRACE(line.str());
    std::size_t width = 0;
    std::size_t height = 0;
    std::size_t new_width = 0;
    std::size_t new_height = 0;
    std::string hash;
    ASSERT_TRUE(line >> width >> height >> new_width >> new_height >> hash);
    const RgbImage resized = resize(plain_picture(width, height), new_width, new_height);
    EXPECT_EQ(resized.width, new_width);
    EXPECT_EQ(resized.height, new_height);
    EXPECT_EQ(pixel_hash(resized), hash);
  }
}

TEST(ResizeTest, KeepsOneColourAsItIs) {
  for (const int colour : {0, 1, 127, 128, 254, 255}) {
    const auto value = static_cast<std::uint8_t>(colour);
    const RgbImage image{37, 11, std::vector<std::uint8_t>(37 * 11 * 3, value)};
    EXPECT_EQ(resize(image, 13, 90).pixels, std::vector<std::uint8_t>(13 * 90 * 3, value));
  }
}

}  // namespace
}  // namespace carat::images
