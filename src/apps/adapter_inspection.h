#pragma once

#include <string>

#include "base/result.h"
#include "model/adapter_file.h"

namespace carat::apps {

// What `carat inspect` prints of a LoRA adapter: what it says of itself, its content hash, and every matrix
// that it adds to. Errors are those of reading it.
Result<std::string> adapter_text(const model::AdapterFile& adapter);
Result<std::string> adapter_json(const model::AdapterFile& adapter);

}  // namespace carat::apps
