#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/wall_clock.h"
#include "store/key_store.h"

namespace carat::server {

// A moment: on a clock that never goes back, for what is counted by the minute, and as a date, for days.
struct Moment {
  std::chrono::nanoseconds steady{};
  WallTime wall{};
};

// An amount that fills up evenly, a minute's worth in a minute, and is taken from.
class MinuteBudget {
 public:
  explicit MinuteBudget(std::int64_t most) : most_(most), level_(static_cast<double>(most)) {}

  void set_most(std::int64_t most) { most_ = most; }
  std::int64_t most() const { return most_; }
  void refill(std::chrono::nanoseconds now);
  // May leave it below zero: what was used is used.
  void take(double amount) { level_ -= amount; }
  bool holds(double amount) const;
  std::int64_t whole() const;  // how much it holds, rounded down, at least 0
  // Until it holds that much, rounded up; 0 where it does.
  std::chrono::milliseconds wait_for(double amount) const;

 private:
  // A microsecond's worth: where a time ends that it was to be waited for, rounding shall not stand in the
  // way.
  double slack() const;

  std::int64_t most_;
  double level_;
  std::optional<std::chrono::nanoseconds> filled_;  // until when it was
};

// Holds one key to its limits. All times are passed in. Threads may share it.
//
// Tokens are known only when an answer is finished, so a request reserves what it may need and settles then.
// A request that may need more than a minute's or the day's tokens reserves all of them: it is alone then,
// but it is not refused for ever.
class KeyMeter {
 public:
  enum class Limit : std::uint8_t { kRequests, kConcurrent, kTokens, kTokensOfDay };
  struct Refusal {
    Limit limit;
    std::int64_t most = 0;             // what the limit is
    std::chrono::milliseconds wait{};  // after which it is worth trying again
  };
  struct Reservation {
    std::int64_t of_minute = 0;
    std::int64_t of_day = 0;
    std::int64_t day = 0;  // since 1970
  };
  // What is left of a limit by the minute.
  struct Rest {
    std::int64_t most = 0;
    std::int64_t left = 0;
    std::chrono::milliseconds full{};  // until all of it is there again
  };
  struct Rests {
    std::optional<Rest> requests;
    std::optional<Rest> tokens;
  };

  explicit KeyMeter(const store::KeyLimits& limits) { set_limits(limits); }

  // What was used so far counts against the new ones.
  void set_limits(const store::KeyLimits& limits);

  // A request comes. It counts as running until end(), unless it is refused. `most_running`: how many a key
  // may have that has no limit of its own.
  std::optional<Refusal> begin(const Moment& now, std::int64_t most_running);
  void end();

  // A request that began may use this many tokens.
  std::optional<Refusal> reserve(std::int64_t tokens, const Moment& now, Reservation& reservation);
  // It used `tokens`.
  void settle(const Reservation& reservation, std::int64_t tokens, const Moment& now);

  Rests rests(const Moment& now);

  // Requests and tokens since the last time, to be recorded; what could not be recorded is put back.
  store::KeyUsage take_use();
  void put_back(const store::KeyUsage& use);
  // What the record says of that day: earlier use, and that of other servers with the same store.
  // `taken` is part of it now.
  void set_recorded(const store::DayUsage& recorded, const store::KeyUsage& taken);

 private:
  void advance(const Moment& now);
  std::optional<Refusal> check_day(const Moment& now) const;
  std::int64_t used_today() const { return recorded_ + taken_ + unrecorded_.tokens + reserved_; }

  std::mutex mutex_;
  store::KeyLimits limits_;
  std::optional<MinuteBudget> requests_;
  std::optional<MinuteBudget> tokens_;
  std::int64_t running_ = 0;

  // Tokens of the day.
  std::int64_t day_ = 0;
  std::int64_t recorded_ = 0;
  std::int64_t taken_ = 0;  // on their way into the record
  std::int64_t reserved_ = 0;
  store::KeyUsage unrecorded_;
};

}  // namespace carat::server
