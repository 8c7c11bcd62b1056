#include "server/health.h"

#include <algorithm>

namespace carat::server {

Health::Report Health::look(const engine::EngineStatus& status) const {
  if (status.working_since.count() == 0) return {};
  const auto age = clock_.now() - std::max(status.working_since, status.last_step);
  return {.is_stuck = age > longest_step_, .step_age = age};
}

Health::Report Health::look(std::span<const engine::EngineStatus> engines) const {
  Report all;
  for (const engine::EngineStatus& status : engines) {
    const Report one = look(status);
    all.is_stuck = all.is_stuck || one.is_stuck;
    all.step_age = std::max(all.step_age, one.step_age);  // none is less than any
  }
  return all;
}

}  // namespace carat::server
