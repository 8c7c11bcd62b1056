#include "images/decoder.h"

#include <utility>
#include <vector>

#include "base/byte_source.h"

namespace carat::images {
namespace {

constexpr std::uint64_t kRoomForMessages = 4096;  // beside the pixels: their sizes, or what is wrong

// The file and its pixels three times over (as decoded, as RGB, as the reply), at most eight bytes each,
// beside the libraries.
worker::Limits worker_limits(const DecodeLimits& limits) {
  const std::uint64_t pixels = limits.pixels.pixels;
  return {.memory_bytes = (std::uint64_t{1} << 30) + 2 * limits.file_bytes + 24 * pixels,
          .reply_bytes = kRoomForMessages + 3 * pixels};
}

std::unexpected<Error> named(const std::string& name, Error error) {
  if (error.kind != ErrorKind::kInterrupted) error.message = name + ": " + error.message;
  return std::unexpected(std::move(error));
}

}  // namespace

Decoder::Decoder(std::string worker_program, DecodeLimits limits)
    : limits_(limits), launcher_(std::move(worker_program), worker_limits(limits)) {}

Result<DecodedImage> Decoder::decode_file(const std::string& path, const std::stop_token& stop) const {
  CARAT_TRY(const auto file, open_file(path));
  if (file->size() > limits_.file_bytes) {
    return fail(ErrorKind::kFailed, "{}: the file has {} bytes, where {} are allowed for a picture", path,
                file->size(), limits_.file_bytes);
  }
  std::vector<std::byte> bytes(file->size());
  if (const Result<> read = file->read_at(0, bytes); !read)
    return fail(ErrorKind::kFailed, "{}", read.error().message);
  return decode(path, bytes, stop);
}

Result<DecodedImage> Decoder::decode(const std::string& name, std::span<const std::byte> bytes,
                                     const std::stop_token& stop) const {
  if (bytes.size() > limits_.file_bytes) {
    return fail(ErrorKind::kFailed, "{}: {} bytes, where {} are allowed for a picture", name, bytes.size(),
                limits_.file_bytes);
  }
  CARAT_TRY(const ImageType type, image_type_of(name, bytes));
  auto reply = launcher_.run(std::string(kDecodeJob), encode_request({type, limits_.pixels, bytes}), stop);
  if (!reply) return named(name, std::move(reply).error());
  auto image = decode_reply(*reply, limits_.pixels);
  if (!image) return named(name, std::move(image).error());
  return DecodedImage{std::move(*image), sha256(bytes)};
}

}  // namespace carat::images
