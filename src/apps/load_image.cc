#include "apps/load_image.h"

#include <utility>

#include "base/size_text.h"
#include "images/decoder.h"

namespace carat::apps {

Result<prompt::Image> load_image(const std::string& path, bool pan_and_scan, const std::stop_token& stop) {
  CARAT_TRY(images::DecodedImage decoded, images::Decoder().decode_file(path, stop));
  return prompt::Image{prompt::make_picture(std::move(decoded.image)), pan_and_scan};
}

Result<std::vector<prompt::Image>> load_images(const std::vector<std::string>& paths, bool pan_and_scan,
                                               const std::stop_token& stop, std::uint64_t most_bytes) {
  std::vector<prompt::Image> images;
  std::uint64_t bytes = 0;
  for (const std::string& path : paths) {
    CARAT_TRY(images.emplace_back(), load_image(path, pan_and_scan, stop));
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
