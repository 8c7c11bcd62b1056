#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "base/clock.h"

namespace carat::terminal {

// How fast bytes come, over the last ten seconds, and how long the rest will take.
class TransferRate {
 public:
  explicit TransferRate(const Clock& clock) : clock_(clock) {}  // the clock must outlive this object

  // `done` bytes are there by now, those of earlier attempts included.
  void update(std::uint64_t done);

  // Bytes per second; nullopt in the first second.
  std::optional<double> bytes_per_second() const;

  // "1.2 of 3.3 GB, 12.3 MB/s, 3 min left", as far as it is known.
  std::string describe(std::uint64_t total) const;

 private:
  struct Sample {
    std::chrono::nanoseconds time;
    std::uint64_t done;
  };

  const Clock& clock_;
  std::deque<Sample> samples_;  // the newest last, half a second apart
};

}  // namespace carat::terminal
