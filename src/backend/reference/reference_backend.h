#pragma once

#include <memory>

#include "backend/backend.h"

namespace carat::backend {

// The oracle: every operation as plain loops in f64 over f32 matrices, each result rounded once, on the
// calling thread. Weights are held as f32, so a model takes 4 bytes per weight. For tests and for telling
// rounding from bugs.
std::unique_ptr<Backend> make_reference_backend();

}  // namespace carat::backend
