#pragma once

#include <string>

#include "model/checkpoint.h"

namespace carat::apps {

// What `carat inspect` prints of an opened model: its configuration, totals by element type, every tensor.
std::string inspection_text(const model::Checkpoint& checkpoint);
std::string inspection_json(const model::Checkpoint& checkpoint);

}  // namespace carat::apps
