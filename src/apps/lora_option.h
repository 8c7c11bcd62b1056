#pragma once

#include <CLI/CLI.hpp>

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/load_model.h"

namespace carat::apps {

// --lora PATH[=WEIGHT], which may be given several times.
void add_lora_option(CLI::App& command, std::vector<std::string>& adapters);

// Opens the adapters that the option named; none of their matrices is read yet. kUsage for a weight that is
// no finite number, otherwise the errors of AdapterFile::open.
Result<std::vector<engine::AdapterToLoad>> open_adapters(std::span<const std::string> adapters);

}  // namespace carat::apps
