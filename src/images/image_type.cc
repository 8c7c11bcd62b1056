#include "images/image_type.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace carat::images {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kReadable = "Carat reads JPEG, PNG, WebP, GIF, TIFF, HEIC and AVIF";
constexpr std::size_t kLookedAt = 4096;  // an SVG file may begin with that much comment

std::optional<ImageType> type_of(std::string_view start) {
  if (start.starts_with("\xFF\xD8\xFF"sv)) return ImageType::kJpeg;
  if (start.starts_with("\x89PNG\r\n\x1A\n"sv)) return ImageType::kPng;
  if (start.starts_with("RIFF"sv) && start.substr(0, 12).ends_with("WEBP"sv)) return ImageType::kWebp;
  if (start.starts_with("GIF87a"sv) || start.starts_with("GIF89a"sv)) return ImageType::kGif;
  if (start.starts_with("II*\0"sv) || start.starts_with("MM\0*"sv)) return ImageType::kTiff;
  if (start.size() >= 12 && start.substr(4, 4) == "ftyp"sv) {
    const std::string_view brand = start.substr(8, 4);
    if (brand == "avif"sv || brand == "avis"sv) return ImageType::kAvif;
    for (const std::string_view heic :
         {"heic"sv, "heix"sv, "heim"sv, "heis"sv, "hevc"sv, "hevx"sv, "mif1"sv, "msf1"sv}) {
      if (brand == heic) return ImageType::kHeic;
    }
  }
  return std::nullopt;
}

bool is_text(std::string_view start) {
  return std::ranges::none_of(start, [](char c) { return static_cast<unsigned char>(c) < 0x09; });
}

// What a file that is not a readable picture seems to be.
std::string_view guess(std::string_view start) {
  if (start.starts_with("%PDF"sv)) return "a PDF document";
  if (start.starts_with("BM"sv)) return "a BMP picture";
  if (start.starts_with("PK\3\4"sv)) return "a ZIP archive or an office document";
  if (start.size() >= 12 && start.substr(4, 4) == "ftyp"sv) return "a video";
  if (!is_text(start)) return "no picture of a known type";
  return start.find("<svg"sv) != std::string_view::npos ? "an SVG drawing" : "a text file";
}

}  // namespace

const char* name_of(ImageType type) {
  switch (type) {
    case ImageType::kJpeg: return "JPEG";
    case ImageType::kPng: return "PNG";
    case ImageType::kWebp: return "WebP";
    case ImageType::kGif: return "GIF";
    case ImageType::kTiff: return "TIFF";
    case ImageType::kHeic: return "HEIC";
    case ImageType::kAvif: return "AVIF";
  }
  return "unknown";
}

Result<ImageType> image_type_of(const std::string& name, std::span<const std::byte> bytes) {
  if (bytes.empty()) return fail(ErrorKind::kFailed, "{}: the file is empty, not a picture", name);
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min(bytes.size(), kLookedAt));
  if (const auto type = type_of(start)) return *type;
  return fail(ErrorKind::kFailed, "{}: this is {}; {}", name, guess(start), kReadable);
}

}  // namespace carat::images
