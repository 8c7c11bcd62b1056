#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace carat::apps {

// A name for what decides the bits of an answer: the model's files and `options` (everything that changes
// numbers, the program's version among it). Files are told apart by their sizes, their beginnings and many
// samples, since hashing tens of gigabytes would hold up the start. "fp_" and 16 hexadecimal digits.
Result<std::string> model_fingerprint(const std::filesystem::path& model, std::string_view options);

}  // namespace carat::apps
