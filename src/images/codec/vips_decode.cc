#include "images/codec/vips_decode.h"

#include <vips/vips.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/rgb_image.h"
#include "images/codec/pixel_conversion.h"
#include "images/decode_job.h"

namespace carat::images {
namespace {

struct Unreference {
  void operator()(VipsImage* image) const { g_object_unref(image); }
};
using Image = std::unique_ptr<VipsImage, Unreference>;

struct Free {
  void operator()(void* memory) const { g_free(memory); }
};

// libvips' account of its last error, as one line.
std::string last_error() {
  std::string text = vips_error_buffer();
  vips_error_clear();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text) {
    if (c == '\n') c = ';';
  }
  return text.empty() ? "no reason given" : text;
}

constexpr std::string_view kNoOperation = "this libvips was built without it";

using Loader = int (*)(void*, std::size_t, VipsImage**, ...);

struct Codec {
  Loader load;
  const char* operation;  // its name in libvips, to see whether this build has it
};

Codec codec_of(ImageType type) {
  switch (type) {
    case ImageType::kJpeg: return {vips_jpegload_buffer, "jpegload_buffer"};
    case ImageType::kPng: return {vips_pngload_buffer, "pngload_buffer"};
    case ImageType::kWebp: return {vips_webpload_buffer, "webpload_buffer"};
    case ImageType::kGif: return {vips_gifload_buffer, "gifload_buffer"};
    case ImageType::kTiff: return {vips_tiffload_buffer, "tiffload_buffer"};
    case ImageType::kHeic:
    case ImageType::kAvif: break;
  }
  return {vips_heifload_buffer, "heifload_buffer"};
}

// Reads the header: the first frame of one that moves. Truncated and damaged files fail here or at the
// pixels.
Result<Image> open_image(const DecodeRequest& request) {
  const Codec codec = codec_of(request.type);
  if (vips_type_find("VipsOperation", codec.operation) == 0) {
    return std::unexpected(load_error(request.type, kNoOperation));
  }
  VipsImage* image = nullptr;
  // libvips' interface is not const-correct; it does not write to the bytes.
  void* bytes = const_cast<std::byte*>(request.file.data());
  // "memory" keeps libvips from decoding large pictures into a temporary file.
  if (codec.load(bytes, request.file.size(), &image, "fail_on", VIPS_FAIL_ON_ERROR, "memory", TRUE,
                 nullptr) != 0) {
    return std::unexpected(load_error(request.type, last_error()));
  }
  return Image(image);
}

Result<Image> upright(Image image) {
  VipsImage* turned = nullptr;
  if (vips_autorot(image.get(), &turned, nullptr) != 0) {
    return fail(ErrorKind::kFailed, "cannot turn the picture upright: {}", last_error());
  }
  return Image(turned);
}

std::optional<ChannelLayout> layout_of(const VipsImage* image) {
  switch (vips_image_get_bands(image)) {
    case 1: return ChannelLayout::kGrey;
    case 2: return ChannelLayout::kGreyAlpha;
    case 3: return ChannelLayout::kRgb;
    case 4:
      return vips_image_get_interpretation(image) == VIPS_INTERPRETATION_CMYK ? ChannelLayout::kCmyk
                                                                              : ChannelLayout::kRgba;
    default: return std::nullopt;
  }
}

bool has_known_colours(const VipsImage* image) {
  switch (vips_image_get_interpretation(image)) {
    case VIPS_INTERPRETATION_B_W:
    case VIPS_INTERPRETATION_GREY16:
    case VIPS_INTERPRETATION_sRGB:
    case VIPS_INTERPRETATION_RGB:
    case VIPS_INTERPRETATION_RGB16:
    case VIPS_INTERPRETATION_CMYK: return true;
    default: return false;
  }
}

template <class Sample>
Result<RgbImage> pixels_of(VipsImage* image, ChannelLayout layout, ImageType type) {
  std::size_t bytes = 0;
  const std::unique_ptr<void, Free> memory(vips_image_write_to_memory(image, &bytes));
  if (memory == nullptr) {
    return fail(ErrorKind::kFailed, "not a complete {} picture: {}", name_of(type), last_error());
  }
  const std::span samples(static_cast<const Sample*>(memory.get()), bytes / sizeof(Sample));
  return to_rgb(samples, static_cast<std::size_t>(vips_image_get_width(image)),
                static_cast<std::size_t>(vips_image_get_height(image)), layout);
}

Result<RgbImage> decode(const DecodeRequest& request) {
  CARAT_TRY(Image opened, open_image(request));
  CARAT_TRY_VOID(check_size(static_cast<std::uint64_t>(vips_image_get_width(opened.get())),
                            static_cast<std::uint64_t>(vips_image_get_height(opened.get())), request.limits));
  CARAT_TRY(const Image image, upright(std::move(opened)));
  const std::optional<ChannelLayout> layout = layout_of(image.get());
  const VipsBandFormat format = vips_image_get_format(image.get());
  if (layout && has_known_colours(image.get())) {
    if (format == VIPS_FORMAT_UCHAR) return pixels_of<std::uint8_t>(image.get(), *layout, request.type);
    if (format == VIPS_FORMAT_USHORT) return pixels_of<std::uint16_t>(image.get(), *layout, request.type);
  }
  return fail(
      ErrorKind::kFailed,
      "{} channels of type {} are not supported (8 or 16 bits of grey, RGB or CMYK are): convert it to PNG",
      vips_image_get_bands(image.get()), vips_enum_nick(VIPS_TYPE_BAND_FORMAT, format));
}

// Loads what takes files: the library's modules, and the decoders that the HEIF library looks for when it is
// first asked, here with a file that is none.
void prepare() {
  if (VIPS_INIT("carat-worker") != 0) return;
  vips_block_untrusted_set(TRUE);
  vips_concurrency_set(1);
  vips_cache_set_max(0);
  constexpr std::string_view kNoPicture =
      "\0\0\0\x0c"
      "ftypheic";
  static_cast<void>(open_image({ImageType::kHeic, {}, std::as_bytes(std::span(kNoPicture))}));
}

Result<std::vector<std::byte>> run(std::span<const std::byte> bytes) {
  CARAT_TRY(const DecodeRequest request, decode_request(bytes));
  CARAT_TRY(const RgbImage image, decode(request));
  return encode_reply(image);
}

}  // namespace

Error load_error(ImageType type, std::string_view reason) {
  const bool two_parts = type == ImageType::kHeic || type == ImageType::kAvif;
  const bool no_decoder =
      reason == kNoOperation ||
      (two_parts && (reason.find("Unsupported") != reason.npos || reason.find("plugin") != reason.npos));
  if (no_decoder) {
    return {ErrorKind::kFailed,
            fmt::format(
                "this system cannot read {}: install its decoder (libheif's for HEIC and AVIF), or convert "
                "the picture to PNG",
                name_of(type))};
  }
  return {ErrorKind::kFailed, fmt::format("not a complete {} picture: {}", name_of(type), reason)};
}

worker::Job decode_job() { return {kDecodeJob, prepare, run}; }

}  // namespace carat::images
