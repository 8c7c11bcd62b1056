#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/rgb_image.h"
#include "images/image_type.h"

namespace carat::images {

// The name of the worker's job, and the bytes of its request and reply.
inline constexpr std::string_view kDecodeJob = "decode-image";

// What a picture may declare; checked from its header, before any pixel is decoded.
struct PixelLimits {
  std::uint32_t side = 16'384;
  std::uint64_t pixels = std::uint64_t{64} << 20;
};

struct DecodeRequest {
  ImageType type = ImageType::kJpeg;
  PixelLimits limits;
  std::span<const std::byte> file;
};

std::vector<std::byte> encode_request(const DecodeRequest& request);
Result<DecodeRequest> decode_request(std::span<const std::byte> bytes);

// kFailed, saying what it has and what is allowed, for a picture beyond the limits or without pixels.
Result<> check_size(std::uint64_t width, std::uint64_t height, const PixelLimits& limits);

std::vector<std::byte> encode_reply(const RgbImage& image);
Result<RgbImage> decode_reply(std::span<const std::byte> bytes, const PixelLimits& limits);

}  // namespace carat::images
