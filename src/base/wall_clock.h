#pragma once

#include <chrono>

namespace carat {

// A moment that people and other machines understand: microseconds since 1970, UTC.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

// Where the date comes from. Unlike Clock it may jump, either way, when somebody sets it: it dates records
// and ends retention periods, and measures nothing.
class WallClock {
 public:
  virtual ~WallClock() = default;
  virtual WallTime now() const = 0;
};

class SystemWallClock final : public WallClock {
 public:
  WallTime now() const override {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
};

}  // namespace carat
