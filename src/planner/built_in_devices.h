#pragma once

#include <string_view>

namespace carat::planner {

// The text of devices.txt, which the build puts into the program.
extern const std::string_view kBuiltInDevices;

}  // namespace carat::planner
