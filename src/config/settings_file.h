#pragma once

#include <string>

#include "base/result.h"
#include "config/settings.h"

namespace carat::config {

// Takes over what the TOML text sets. Errors are kUsage and begin with file:line.
Result<> read_settings_file(const std::string& file_name, const std::string& text, Settings& settings);

}  // namespace carat::config
