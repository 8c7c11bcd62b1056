#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "planner/memory_plan.h"

namespace carat::planner {

// The total of a request's plan, for the searches below.
using TotalBytes = std::function<std::uint64_t(const PlanRequest&)>;

// The longest context, up to `longest` tokens, whose plan fits into `memory`, all else as in `request`: whole
// KV blocks, or `longest` itself. nullopt when not even one block does.
std::optional<std::size_t> largest_context(const PlanRequest& request, std::size_t longest,
                                           std::uint64_t memory, const TotalBytes& total);

// The most users, likewise; at most kMostUsers.
inline constexpr std::size_t kMostUsers = 4096;
std::optional<std::size_t> largest_users(const PlanRequest& request, std::uint64_t memory,
                                         const TotalBytes& total);

// The largest precision of kPrecisions that fits, all else as in `request`.
std::optional<Precision> largest_precision(const model::GemmaConfig& config, const PlanRequest& request,
                                           std::uint64_t memory);

// A plan, what it is compared with, and what would fit.
struct FitReport {
  MemoryPlan plan;
  PlanRequest request;
  std::uint64_t memory = 0;  // there is
  bool fits = false;
  std::optional<std::size_t> context = {};  // the largest of each, all else as asked for
  std::optional<std::size_t> users = {};
  std::optional<Precision> precision = {};
};
FitReport check_fit(const model::GemmaConfig& config, const TensorTypes& types, const PlanRequest& request,
                    std::uint64_t memory);

// kDoesNotFit unless it fits: what is needed and what for, what there is, and the largest setting that does
// fit. `model` and `place` begin and end the first sentence: "gemma-3-12b needs ... , this machine has ...".
Result<> require_fit(const FitReport& report, std::string_view model, std::string_view place);

}  // namespace carat::planner
