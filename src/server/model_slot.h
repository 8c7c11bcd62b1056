#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "server/model_registry.h"

namespace carat::server {

// A request that waits for a model to load.
struct ModelRegistry::Waiter {
  std::string name;
  std::optional<std::chrono::nanoseconds> keep_alive;
  Found found;
  std::optional<std::stop_callback<std::function<void()>>> on_stop = {};
};

// A model that is loaded or to be.
struct ModelRegistry::Slot {
  enum class State : std::uint8_t { kQueued, kLoading, kLoaded };

  State state = State::kQueued;
  bool is_closing = false;  // it goes when its users have
  Resident use;
  std::optional<std::uint64_t> needed = {};  // bytes, once planned
  std::shared_ptr<const ServedModel> model = {};
  std::vector<std::shared_ptr<Waiter>> waiters = {};
  std::stop_source stop = {};

  const std::string& id() const { return use.id; }
  bool is_there() const { return state == State::kLoaded && !is_closing; }
};

// What max() says is no limit.
inline std::optional<std::chrono::nanoseconds> keep_alive_limit(
    const std::optional<std::chrono::nanoseconds>& asked) {
  return asked == std::chrono::nanoseconds::max() ? std::nullopt : asked;
}

}  // namespace carat::server
