#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"
#include "worker/serve.h"

namespace carat::images {

// The worker's side of Decoder: libvips, with the loaders that its makers do not trust blocked. It trusts its
// caller to run it in a locked-down process.
worker::Job decode_job();

}  // namespace carat::images
