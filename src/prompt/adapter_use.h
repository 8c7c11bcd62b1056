#pragma once

#include <string>

namespace carat::prompt {

// A LoRA adapter that the engine has loaded beside the model, and how strongly it applies.
struct AdapterUse {
  std::string id;       // its content hash, 64 hexadecimal digits
  float weight = 1.0F;  // 0 is the plain model
  bool operator==(const AdapterUse&) const = default;
};

}  // namespace carat::prompt
