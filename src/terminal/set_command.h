#pragma once

#include <string>

#include "base/result.h"
#include "config/settings.h"

namespace carat::terminal {

// The settings that can change during a chat and their values, one a line.
std::string describe_chat_settings(const config::Settings& settings);

// "NAME VALUE": changes a setting; the value "default" takes back a change, to what it was in `initial`.
// Names are written with '_' or
// '-'. Returns the line that confirms it. kUsage, naming the nearest setting or the values that are possible.
Result<std::string> apply_set_command(const std::string& argument, const config::Settings& initial,
                                      config::Settings& settings);

}  // namespace carat::terminal
