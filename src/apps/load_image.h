#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "prompt/image.h"

namespace carat::apps {

// Decodes pictures in a worker process. Errors name the file; kInterrupted when `stop` is requested,
// kFailed when they have more than `most_bytes` together.
Result<prompt::Image> load_image(const std::string& path, bool pan_and_scan, const std::stop_token& stop);
Result<std::vector<prompt::Image>> load_images(const std::vector<std::string>& paths, bool pan_and_scan,
                                               const std::stop_token& stop,
                                               std::uint64_t most_bytes = prompt::kMostPictureBytes);

}  // namespace carat::apps
