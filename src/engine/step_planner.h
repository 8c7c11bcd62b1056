#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace carat::engine {

// A request that has rows to run, or an image to be looked at, before it decodes.
struct Waiting {
  std::string owner;
  std::size_t rows = 0;       // left to run
  bool wants_logits = false;  // of each row, not of the last one alone
};

// What one of them does in the next step.
struct Share {
  std::size_t index = 0;  // into the requests given
  std::size_t rows = 0;   // at most this many
};

struct StepBudget {
  std::size_t rows = 0;
  std::size_t logit_rows = 0;  // of those, rows of requests that want logits
};

// Divides steps among requests. Owners take turns: each step begins with the owner after the one that began
// the step before, however many requests either has. Within an owner the order given decides.
class PrefillTurns {
 public:
  // Each request appears once at most; a single one takes all where it can.
  std::vector<Share> divide(std::span<const Waiting> requests, StepBudget budget);

 private:
  std::optional<std::string> first_owner_;  // of the latest step
};

// How many rows of prefill a step may have while others decode, from the speed of the steps before: as many
// as take `step_seconds`, in multiples of kLeast, at least kLeast and at most `most`. With nobody to wait for
// it, `most`.
class PrefillPace {
 public:
  static constexpr std::size_t kLeast = 16;

  PrefillPace(double step_seconds, std::size_t most) : step_seconds_(step_seconds), most_(most) {}

  std::size_t rows(bool others_decode) const;

  // A step of `rows` rows took so long. Steps of fewer rows than kLeast say nothing about prefill: they spend
  // their time on reading weights.
  void record(std::size_t rows, double seconds);

 private:
  double step_seconds_;
  std::size_t most_;
  double seconds_per_row_ = 0;  // moving average; 0: nothing was measured yet
};

}  // namespace carat::engine
