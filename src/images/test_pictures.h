#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "base/rgb_image.h"
#include "base/sha256.h"
#include "base/test_fixture.h"

namespace carat::images {

// The picture that tools/make_image_fixtures.py calls plain: waves and edges from integers alone.
inline RgbImage plain_picture(std::size_t width, std::size_t height) {
  const auto fold = [](std::size_t value) {
    return static_cast<std::uint8_t>(value > 255 ? 511 - value : value);
  };
  RgbImage image{width, height, {}};
  image.pixels.reserve(width * height * 3);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      image.pixels.push_back(fold((x * x / 7 + y * 3) % 511));
      image.pixels.push_back(fold((x * 5 + y * y / 11) % 511));
      image.pixels.push_back(static_cast<std::uint8_t>((x / 8 + y / 8) % 2 * 200 + (x * y) % 56));
    }
  }
  return image;
}

inline std::string pixel_hash(const RgbImage& image) {
  return to_hex(sha256(std::as_bytes(std::span(image.pixels))));
}

inline std::string picture_fixture(const std::string& name) { return test_fixture("images/" + name); }

// The lines of a text fixture, each to be read with >>.
inline std::vector<std::istringstream> fixture_lines(const std::string& name) {
  std::ifstream file(picture_fixture(name));
  std::vector<std::istringstream> lines;
  for (std::string line; std::getline(file, line);) lines.emplace_back(line);
  return lines;
}

}  // namespace carat::images
