#pragma once

#include <chrono>
#include <string>

namespace carat {

// "2026-01-31T23:59:59Z" (RFC 3339).
std::string utc_text(std::chrono::sys_seconds time);

}  // namespace carat
