#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <span>

#include "base/clock.h"
#include "engine/engine.h"

namespace carat::server {

// Whether the engine gets on. What counts is the time since the last completed step while there is work, so
// that a server whose engine hangs does not call itself healthy.
class Health {
 public:
  // `clock`: the engine's. `longest_step`: more than any step takes, the reading of an image included.
  explicit Health(const Clock& clock, std::chrono::nanoseconds longest_step = std::chrono::seconds(120))
      : clock_(clock), longest_step_(longest_step) {}

  struct Report {
    bool is_stuck = false;
    std::optional<std::chrono::nanoseconds> step_age = {};  // none: there is nothing to do
  };
  Report look(const engine::EngineStatus& status) const;

  // Of several engines: stuck if one is; the age is the oldest's.
  Report look(std::span<const engine::EngineStatus> engines) const;

  // From now on the server is not ready: it ends when what it has begun is done.
  void drain() { drains_ = true; }
  bool drains() const { return drains_; }

 private:
  const Clock& clock_;
  const std::chrono::nanoseconds longest_step_;
  std::atomic<bool> drains_{false};
};

}  // namespace carat::server
