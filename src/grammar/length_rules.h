#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "grammar/schema.h"

namespace carat::grammar {

// Which strings of a JSON value have length limits: a path through the value leads from state to state.
// In a grammar each counted character would be a state of its own, some 25 ms of compiling.
struct LengthRules {
  static constexpr std::uint32_t kFree = 0;  // the state of values without limits, in them or below

  struct State {
    std::uint32_t least = 0;  // characters of a string here
    std::optional<std::uint32_t> most;
    std::vector<std::pair<std::string, std::uint32_t>> members;  // by key as JSON writes it, without quotes
    std::uint32_t other_members = kFree;
    std::vector<std::uint32_t> prefix;
    std::uint32_t items = kFree;
  };
  std::vector<State> states;  // states[kFree] is that state
  std::uint32_t root = kFree;

  bool empty() const { return root == kFree; }
};

// The rules for a value of any of these schemas, as after a reference; with `around`, for the member of that
// name of an object. Where several alternatives reach a string, the tightest of their limits hold: that may
// forbid what one of them allows, never the reverse. kUsage where that leaves nothing, or where an
// alternative with a pattern or constant could then not be finished.
Result<LengthRules> length_rules(const std::vector<const Schema*>& schemas,
                                 const std::optional<std::string>& around = std::nullopt);

}  // namespace carat::grammar
