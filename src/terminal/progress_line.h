#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/clock.h"

namespace carat::terminal {

// One line that says what takes so long, for a terminal: appears after a second, is redrawn in place a few
// times a second, and leaves nothing behind.
class ProgressLine {
 public:
  using Write = std::function<void(std::string_view)>;

  // `write` takes bytes for the terminal; without it, where there is no terminal, nothing is shown. The clock
  // must outlive this object; the second counts from here or from the last clear().
  ProgressLine(const Clock& clock, Write write)
      : clock_(clock), write_(std::move(write)), start_(clock.now()) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // "loading the model: 40%"
  void update(std::string_view what, std::uint64_t done, std::uint64_t total);
  void clear();

 private:
  const Clock& clock_;
  Write write_;
  bool shown_ = false;
  std::chrono::nanoseconds start_;
  std::chrono::nanoseconds drawn_{};
};

}  // namespace carat::terminal
