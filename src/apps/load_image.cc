#include "apps/load_image.h"

#include <utility>

#include "base/size_text.h"
#include "worker/launcher.h"

namespace carat::apps {

images::Decoder image_decoder(const config::Settings& settings) {
  using enum config::Setting;
  const auto limit = [&](config::Setting setting) {
    return static_cast<std::uint64_t>(settings.integer(setting).value());
  };
  return images::Decoder(
      worker::installed_program(),
      {.file_bytes = limit(kImageFileBytes),
       .pixels = {.side = static_cast<std::uint32_t>(limit(kImageSide)), .pixels = limit(kImagePixels)}});
}

Result<prompt::Image> load_image(const images::Decoder& decoder, const std::string& path, bool pan_and_scan,
                                 const std::stop_token& stop) {
  CARAT_TRY(images::DecodedImage decoded, decoder.decode_file(path, stop));
  return prompt::Image{prompt::make_picture(std::move(decoded.image)), pan_and_scan};
}

Result<std::vector<prompt::Image>> load_images(const images::Decoder& decoder,
                                               const std::vector<std::string>& paths, bool pan_and_scan,
                                               const std::stop_token& stop, std::uint64_t most_bytes) {
  std::vector<prompt::Image> images;
  std::uint64_t bytes = 0;
  for (const std::string& path : paths) {
    CARAT_TRY(images.emplace_back(), load_image(decoder, path, pan_and_scan, stop));
    bytes += images.back().picture->pixels.pixels.size();
    if (bytes > most_bytes) {
      return fail(ErrorKind::kFailed,
                  "{}: the pictures up to this one take {} when decoded, where {} are allowed", path,
                  memory_size_text(bytes), memory_size_text(most_bytes));
    }
  }
  return images;
}

}  // namespace carat::apps
