#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/settings.h"
#include "images/decoder.h"
#include "prompt/image.h"

namespace carat::apps {

// Of picture files from outside, with the limits of the settings.
images::Decoder image_decoder(const config::Settings& settings);

// Decodes pictures in a worker process. Errors name the file; kInterrupted when `stop` is requested,
// kFailed when they have more than `most_bytes` together.
Result<prompt::Image> load_image(const images::Decoder& decoder, const std::string& path, bool pan_and_scan,
                                 const std::stop_token& stop);
Result<std::vector<prompt::Image>> load_images(const images::Decoder& decoder,
                                               const std::vector<std::string>& paths, bool pan_and_scan,
                                               const std::stop_token& stop,
                                               std::uint64_t most_bytes = prompt::kMostPictureBytes);

}  // namespace carat::apps
