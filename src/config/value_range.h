#pragma once

#include <string>

#include "config/settings.h"

namespace carat::config {

// Whether a value of the setting's own type is one that the table allows.
bool in_range(const SettingInfo& setting, const Value& value);

// "an integer between 1 and 1024", for messages.
std::string expectation(const SettingInfo& setting);

}  // namespace carat::config
