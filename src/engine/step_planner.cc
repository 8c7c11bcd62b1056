#include "engine/step_planner.h"

#include <algorithm>

namespace carat::engine {
namespace {

// Owners in a fixed order, beginning after `latest`.
std::vector<std::string> owners_from(std::span<const Waiting> requests,
                                     const std::optional<std::string>& latest) {
  std::vector<std::string> owners;
  for (const Waiting& request : requests) owners.push_back(request.owner);
  std::ranges::sort(owners);
  const auto [first, last] = std::ranges::unique(owners);
  owners.erase(first, last);
  if (latest) std::ranges::rotate(owners, std::ranges::upper_bound(owners, *latest));
  return owners;
}

}  // namespace

std::vector<Share> PrefillTurns::divide(std::span<const Waiting> requests, StepBudget budget) {
  std::vector<Share> shares;
  const std::vector<std::string> owners = owners_from(requests, first_owner_);
  std::vector<bool> served(requests.size(), false);
  bool found = true;
  while (found && budget.rows > 0) {  // one request of each owner a round
    found = false;
    for (const std::string& owner : owners) {
      for (std::size_t i = 0; i < requests.size(); ++i) {
        if (served[i] || requests[i].owner != owner) continue;
        std::size_t rows = std::min(requests[i].rows, budget.rows);
        if (requests[i].wants_logits) rows = std::min(rows, budget.logit_rows);
        if (rows == 0) continue;
        if (shares.empty()) first_owner_ = owner;
        served[i] = true;
        found = true;
        budget.rows -= rows;
        if (requests[i].wants_logits) budget.logit_rows -= rows;
        shares.push_back({i, rows});
        break;
      }
    }
  }
  return shares;
}

std::size_t PrefillPace::rows(bool others_decode) const {
  if (!others_decode || seconds_per_row_ <= 0) return most_;
  const double rows = step_seconds_ / seconds_per_row_;
  if (rows >= static_cast<double>(most_)) return most_;
  return std::min(most_, std::max(kLeast, static_cast<std::size_t>(rows) / kLeast * kLeast));
}

void PrefillPace::record(std::size_t rows, double seconds) {
  if (rows < kLeast || seconds <= 0) return;
  constexpr double kWeight = 0.25;  // of the latest step
  const double latest = seconds / static_cast<double>(rows);
  seconds_per_row_ = seconds_per_row_ <= 0 ? latest : (1 - kWeight) * seconds_per_row_ + kWeight * latest;
}

}  // namespace carat::engine
