#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace carat::server {

// A loaded model, by what decides how long it stays. Times are of the clock that `now` is read from.
struct Resident {
  std::string id;
  std::uint64_t bytes = 0;  // as planned: what it may come to use
  bool is_pinned = false;   // stays whatever happens
  std::size_t users = 0;    // requests that hold it
  std::chrono::nanoseconds last_use = {};
  std::optional<std::chrono::nanoseconds> keep_alive =
      {};  // after the last use; nullopt: while there is room
};

// When nobody will have used it for its time; nullopt while somebody does, and where there is no such time.
std::optional<std::chrono::nanoseconds> expiry(const Resident& model);

// The ids whose time is over.
std::vector<std::string> expired(std::span<const Resident> models, std::chrono::nanoseconds now);

// When to look again; nullopt: not before something happens.
std::optional<std::chrono::nanoseconds> next_expiry(std::span<const Resident> models);

// What has to go so that a model can come.
struct Room {
  bool is_possible = false;              // else even the pinned ones leave too little
  std::uint64_t pinned_bytes = 0;        // of what stays in any case
  std::vector<std::string> unload = {};  // in this order; of those in use, once they are not
};

// Room for `needed` bytes within `budget`: those that nobody uses go first, of these the one that was not
// used for the longest time; none goes whose bytes the others' make unnecessary.
Room make_room(std::span<const Resident> models, std::uint64_t needed, std::uint64_t budget);

}  // namespace carat::server
