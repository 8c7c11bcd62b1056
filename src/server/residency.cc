#include "server/residency.h"

#include <algorithm>
#include <tuple>

namespace carat::server {
namespace {

// Whether bytes of `kept` and `needed` fit, without overflow.
bool fits(std::uint64_t kept, std::uint64_t needed, std::uint64_t budget) {
  return needed <= budget && kept <= budget - needed;
}

}  // namespace

std::optional<std::chrono::nanoseconds> expiry(const Resident& model) {
  if (model.is_pinned || model.users > 0 || !model.keep_alive) return std::nullopt;
  if (*model.keep_alive > std::chrono::nanoseconds::max() - model.last_use) return std::nullopt;
  return model.last_use + *model.keep_alive;
}

std::vector<std::string> expired(std::span<const Resident> models, std::chrono::nanoseconds now) {
  std::vector<std::string> ids;
  for (const Resident& model : models) {
    if (const auto end = expiry(model); end && *end <= now) ids.push_back(model.id);
  }
  return ids;
}

std::optional<std::chrono::nanoseconds> next_expiry(std::span<const Resident> models) {
  std::optional<std::chrono::nanoseconds> next;
  for (const Resident& model : models) {
    if (const auto end = expiry(model)) next = std::min(next.value_or(*end), *end);
  }
  return next;
}

Room make_room(std::span<const Resident> models, std::uint64_t needed, std::uint64_t budget) {
  Room room;
  std::uint64_t kept = 0;
  std::vector<const Resident*> candidates;
  for (const Resident& model : models) {
    kept += model.bytes;
    if (model.is_pinned) room.pinned_bytes += model.bytes;
    if (!model.is_pinned) candidates.push_back(&model);
  }
  room.is_possible = fits(room.pinned_bytes, needed, budget);
  if (!room.is_possible) return room;
  // Those of one age stay in order.
  std::ranges::sort(candidates, {}, [](const Resident* model) {
    return std::tuple(model->users > 0, model->last_use, model);
  });
  std::vector<const Resident*> chosen;
  for (const Resident* model : candidates) {
    if (fits(kept, needed, budget)) break;
    kept -= model->bytes;
    chosen.push_back(model);
  }
  // Latest use first: what a larger one makes unnecessary stays.
  for (auto model = chosen.rbegin(); model != chosen.rend(); ++model) {
    if (!fits(kept + (*model)->bytes, needed, budget)) continue;
    kept += (*model)->bytes;
    *model = nullptr;
  }
  for (const Resident* model : chosen) {
    if (model != nullptr) room.unload.push_back(model->id);
  }
  return room;
}

}  // namespace carat::server
