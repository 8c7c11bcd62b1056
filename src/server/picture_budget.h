#pragma once

#include <cstddef>

#include "server/served_model.h"

namespace carat::server {

// Decodes as `decode` does, as long as the pixels of all pictures that are still in use, of whatever request,
// take no more than `most_bytes`; kOverloaded then. A picture is in use until its last holder lets go of it.
ImageDecoder with_picture_budget(ImageDecoder decode, std::size_t most_bytes);

}  // namespace carat::server
