#pragma once

#include "base/wall_clock.h"

namespace carat {

// Shows the time that a test sets. One thread at a time.
class TestWallClock final : public WallClock {
 public:
  WallTime now() const override { return time; }

  WallTime time{std::chrono::seconds(1'750'000'000)};
};

}  // namespace carat
