#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace carat::images {

enum class ImageType : std::uint32_t { kJpeg, kPng, kWebp, kGif, kTiff, kHeic, kAvif };

// "JPEG" and so on.
const char* name_of(ImageType type);

// The type of a file by its first bytes; its name plays no part. kFailed for everything that is not a picture
// of these types, saying what it is where that is known (SVG, PDF, text, an empty file, ...). `name` is the
// file's.
Result<ImageType> image_type_of(const std::string& name, std::span<const std::byte> bytes);

}  // namespace carat::images
