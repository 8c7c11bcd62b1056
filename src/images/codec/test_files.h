#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/rgb_image.h"
#include "base/test_fixture.h"
#include "images/decoder.h"

namespace carat::images {

inline std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline std::vector<std::byte> fixture_bytes(const std::string& name) {
  std::ifstream file(test_fixture("images/" + name), std::ios::binary);
  return bytes_of(std::string(std::istreambuf_iterator<char>(file), {}));
}

// A binary PPM as Pillow writes it: "P6\nWIDTH HEIGHT\n255\n" and the bytes.
inline RgbImage ppm_fixture(const std::string& name) {
  std::ifstream file(test_fixture("images/" + name), std::ios::binary);
  std::string magic;
  RgbImage image;
  std::size_t maximum = 0;
  file >> magic >> image.width >> image.height >> maximum;
  file.ignore();
  const std::string pixels(std::istreambuf_iterator<char>(file), {});
  image.pixels.assign(pixels.begin(), pixels.end());
  return image;
}

// The program that ships, beside this test.
inline Decoder built_decoder(DecodeLimits limits = {}) {
  return Decoder((std::filesystem::read_symlink("/proc/self/exe").parent_path() / "carat-worker").string(),
                 limits);
}

}  // namespace carat::images
