#include "images/decode_job.h"

#include <cstring>

#include "base/checked_math.h"
#include "worker/message.h"

namespace carat::images {

std::vector<std::byte> encode_request(const DecodeRequest& request) {
  worker::MessageWriter out;
  out.u32(static_cast<std::uint32_t>(request.type));
  out.u32(request.limits.side);
  out.u64(request.limits.pixels);
  out.bytes(request.file);
  return out.take();
}

Result<DecodeRequest> decode_request(std::span<const std::byte> bytes) {
  worker::MessageReader in(bytes);
  const auto type = in.u32();
  const auto side = in.u32();
  const auto pixels = in.u64();
  if (!type || !side || !pixels || *type > static_cast<std::uint32_t>(ImageType::kAvif)) {
    return fail(ErrorKind::kFailed, "not a request for a picture");
  }
  return DecodeRequest{static_cast<ImageType>(*type), {*side, *pixels}, in.rest()};
}

Result<> check_size(std::uint64_t width, std::uint64_t height, const PixelLimits& limits) {
  if (width == 0 || height == 0) {
    return fail(ErrorKind::kFailed, "the picture has no pixels: {} x {}", width, height);
  }
  if (width > limits.side || height > limits.side) {
    return fail(ErrorKind::kFailed,
                "the picture has {} x {} pixels, where a side may have {}: make it smaller", width, height,
                limits.side);
  }
  if (width * height > limits.pixels) {
    return fail(ErrorKind::kFailed,
                "the picture has {} x {} = {} pixels, where {} are allowed: make it smaller", width, height,
                width * height, limits.pixels);
  }
  return {};
}

std::vector<std::byte> encode_reply(const RgbImage& image) {
  worker::MessageWriter out;
  out.u32(static_cast<std::uint32_t>(image.width));
  out.u32(static_cast<std::uint32_t>(image.height));
  out.bytes(std::as_bytes(std::span(image.pixels)));
  return out.take();
}

Result<RgbImage> decode_reply(std::span<const std::byte> bytes, const PixelLimits& limits) {
  worker::MessageReader in(bytes);
  const std::uint64_t width = in.u32().value_or(0);
  const std::uint64_t height = in.u32().value_or(0);
  CARAT_TRY_VOID(check_size(width, height, limits));
  const auto expected = checked_mul<std::uint64_t>(width * height, 3);  // two factors of 32 bits each
  if (!expected || in.rest().size() != *expected) {
    return fail(ErrorKind::kFailed, "the worker sent {} bytes for {} x {} pixels", in.rest().size(), width,
                height);
  }
  RgbImage image{width, height, std::vector<std::uint8_t>(*expected)};
  std::memcpy(image.pixels.data(), in.rest().data(), *expected);
  return image;
}

}  // namespace carat::images
