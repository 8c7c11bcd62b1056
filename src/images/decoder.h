#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/rgb_image.h"
#include "base/sha256.h"
#include "images/decode_job.h"
#include "worker/launcher.h"

namespace carat::images {

struct DecodeLimits {
  std::uint64_t file_bytes = std::uint64_t{32} << 20;
  PixelLimits pixels = {};
};

struct DecodedImage {
  RgbImage image;
  Sha256Digest sha256;  // of the file's bytes
};

// Turns picture files into pixels as the reference's image processor would see them: the first frame, upright
// by its EXIF orientation, alpha on white, colour profiles passed over. The bytes are read here and decoded
// in a worker process of their own. Errors name the file and are kFailed, kNotFound for a missing file, or
// kInterrupted when `stop` is requested. Safe to share between threads.
class Decoder {
 public:
  explicit Decoder(std::string worker_program = worker::installed_program(), DecodeLimits limits = {});

  Result<DecodedImage> decode_file(const std::string& path, const std::stop_token& stop = {}) const;
  // `name` stands for the file in messages.
  Result<DecodedImage> decode(const std::string& name, std::span<const std::byte> bytes,
                              const std::stop_token& stop = {}) const;

 private:
  DecodeLimits limits_;
  worker::Launcher launcher_;
};

}  // namespace carat::images
