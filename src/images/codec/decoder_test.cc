#include "images/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "images/codec/test_files.h"

namespace carat::images {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string error_of(const std::vector<std::byte>& bytes, DecodeLimits limits = {}) {
  const auto image = built_decoder(limits).decode("cat.jpg", bytes);
  return image ? "no error" : image.error().message;
}

void append_big_endian(std::vector<std::byte>& out, std::uint32_t value) {
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::byte>(value >> shift));
}

std::uint32_t crc32(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0U;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

void append_chunk(std::vector<std::byte>& png, std::string_view type, const std::vector<std::byte>& data) {
  append_big_endian(png, static_cast<std::uint32_t>(data.size()));
  std::vector<std::byte> checked = bytes_of(type);
  checked.insert(checked.end(), data.begin(), data.end());
  png.insert(png.end(), checked.begin(), checked.end());
  append_big_endian(png, crc32(checked));
}

// A grey PNG that declares that size; its pixels are `data`, which need not be there.
std::vector<std::byte> png_declaring(std::uint32_t width, std::uint32_t height,
                                     const std::vector<std::byte>& data) {
  std::vector<std::byte> png = bytes_of("\x89PNG\r\n\x1A\n");
  std::vector<std::byte> header;
  append_big_endian(header, width);
  append_big_endian(header, height);
  for (const int value : {8, 0, 0, 0, 0}) header.push_back(static_cast<std::byte>(value));
  append_chunk(png, "IHDR", header);
  append_chunk(png, "IDAT", data);
  append_chunk(png, "IEND", {});
  return png;
}

class DecoderTest : public testing::TestWithParam<const char*> {};

TEST_P(DecoderTest, GivesThePixelsOfTheReference) {
  const std::string name = GetParam();
  const auto decoded = built_decoder().decode_file(test_fixture("images/" + name));
  if (!decoded && name.ends_with(".avif") &&
      decoded.error().message.find("install its decoder") != std::string::npos) {
    GTEST_SKIP() << decoded.error().message;
  }
  ASSERT_TRUE(decoded) << decoded.error().message;
  const RgbImage expected = ppm_fixture(name + ".ppm");
  ASSERT_GT(expected.pixels.size(), 0U);
  EXPECT_EQ(decoded->image.width, expected.width);
  EXPECT_EQ(decoded->image.height, expected.height);
  ASSERT_EQ(decoded->image.pixels.size(), expected.pixels.size());
  // Releases of the lossy decoders differ in their rounding.
  const int tolerance = name.ends_with(".avif") ? 2 : name.ends_with(".jpg") ? 1 : 0;
  for (std::size_t i = 0; i < expected.pixels.size(); ++i) {
    ASSERT_LE(std::abs(decoded->image.pixels[i] - expected.pixels[i]), tolerance) << "at byte " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, DecoderTest,
                         testing::Values("photo.jpg", "photo_444.jpg", "progressive.jpg", "turned_1.jpg",
                                         "turned_2.jpg", "turned_3.jpg", "turned_4.jpg", "turned_5.jpg",
                                         "turned_6.jpg", "turned_7.jpg", "turned_8.jpg", "grey.jpg",
                                         "cmyk.jpg", "photo.png", "alpha.png", "grey_alpha.png",
                                         "palette.png", "palette_transparent.png", "one_bit.png", "grey.png",
                                         "grey16.png", "column.png", "row.png", "pixel.png", "photo.webp",
                                         "alpha.webp", "photo.avif", "photo.gif", "animated.gif",
                                         "photo.tif"));

TEST(DecoderBytesTest, HashesTheFileNotThePixels) {
  const std::vector<std::byte> bytes = fixture_bytes("photo.png");
  const auto decoded = built_decoder().decode("x", bytes);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->sha256, sha256(bytes));
}

TEST(DecoderBytesTest, TheTypeIsFoundByTheBytes) {
  const auto decoded = built_decoder().decode("photo.jpg", fixture_bytes("photo.png"));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->image, ppm_fixture("photo.png.ppm"));
}

TEST(DecoderBytesTest, TruncatedFilesAreRefusedEverywhere) {
  for (const char* name :
       {"photo.jpg", "progressive.jpg", "photo.png", "photo.webp", "photo.gif", "photo.tif"}) {
    const std::vector<std::byte> whole = fixture_bytes(name);
    for (const std::size_t tenths : {2, 5, 8, 9}) {
      std::vector<std::byte> part(whole.begin(),
                                  whole.begin() + static_cast<std::ptrdiff_t>(whole.size() * tenths / 10));
      EXPECT_THAT(error_of(part), AllOf(HasSubstr("cat.jpg: not a complete"))) << name << ' ' << tenths;
    }
  }
}

TEST(DecoderBytesTest, DeclaredSizesAreLimitedBeforePixels) {
  EXPECT_THAT(error_of(png_declaring(100'000, 1, {})),
              HasSubstr("100000 x 1 pixels, where a side may have 16384"));
  EXPECT_THAT(error_of(png_declaring(30'000, 30'000, {})), HasSubstr("30000 x 30000 pixels"));
  EXPECT_THAT(error_of(png_declaring(16'000, 16'000, {})), HasSubstr("256000000 pixels, where 67108864"));
  EXPECT_THAT(error_of(png_declaring(100, 100, {}), {.pixels = {.side = 99}}),
              HasSubstr("a side may have 99"));
  // A bomb that stays within the limits says too much about its pixels, or too little.
  EXPECT_THAT(error_of(png_declaring(8000, 8000, std::vector<std::byte>(1000))),
              HasSubstr("not a complete PNG"));
}

TEST(DecoderBytesTest, OtherFilesAreNamedForWhatTheyAre) {
  EXPECT_THAT(error_of({}), HasSubstr("cat.jpg: the file is empty"));
  EXPECT_THAT(error_of(bytes_of("<?xml version='1.0'?><svg xmlns='x'/>")), HasSubstr("an SVG drawing"));
  EXPECT_THAT(error_of(bytes_of("%PDF-1.7\n")), HasSubstr("a PDF document"));
  EXPECT_THAT(error_of(bytes_of("Dear Sir,\n")), HasSubstr("a text file"));
  EXPECT_THAT(error_of(bytes_of(std::string("\0\0\0\x18"
                                            "ftypisom",
                                            12))),
              HasSubstr("a video"));
  EXPECT_THAT(error_of(bytes_of(std::string("\0\0\0\x18"
                                            "ftypheic\0\0\0\0",
                                            16))),
              HasSubstr("HEIC"));
  EXPECT_THAT(error_of(std::vector<std::byte>(500)), HasSubstr("no picture of a known type"));
}

TEST(DecoderFileTest, FilesThatAreNone) {
  const Decoder decoder = built_decoder();
  EXPECT_EQ(decoder.decode_file("/no/such.png").error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(decoder.decode_file("/tmp").error().message, HasSubstr("/tmp: not a regular file"));
  const std::string photo = test_fixture("images/photo.png");
  EXPECT_THAT(built_decoder({.file_bytes = 100}).decode_file(photo).error().message,
              HasSubstr("where 100 are allowed"));
}

// Whatever one changed byte does to a decoder, the answer is a picture or an error.
TEST(DecoderBytesTest, DamagedFilesNeverEndTheProgram) {
  std::uint64_t state = 7;
  for (const char* name : {"photo.jpg", "palette.png", "alpha.webp", "animated.gif", "photo.tif"}) {
    for (int round = 0; round < 6; ++round) {
      std::vector<std::byte> bytes = fixture_bytes(name);
      state = state * 6364136223846793005U + 1442695040888963407U;
      bytes[16 + (state >> 33) % (bytes.size() - 16)] ^= static_cast<std::byte>(1 + (state >> 24) % 255);
      const auto image = built_decoder().decode(name, bytes);
      if (!image) {
        EXPECT_THAT(image.error().message, HasSubstr(name));
      }
    }
  }
}

}  // namespace
}  // namespace carat::images
