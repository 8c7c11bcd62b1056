#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "images/image_type.h"
#include "worker/serve.h"

namespace carat::images {

// The worker's side of Decoder: libvips, with the loaders that its makers do not trust blocked. It trusts its
// caller to run it in a locked-down process.
worker::Job decode_job();

// What it means that libvips cannot load a picture for that reason. libheif knows the files of HEIC and AVIF
// also where the system has no decoder for what is in them.
Error load_error(ImageType type, std::string_view reason);

}  // namespace carat::images
