#include "server/health.h"

#include <algorithm>

namespace carat::server {

Health::Report Health::look(const engine::EngineStatus& status) const {
  if (status.working_since.count() == 0) return {};
  const auto age = clock_.now() - std::max(status.working_since, status.last_step);
  return {.is_stuck = age > longest_step_, .step_age = age};
}

}  // namespace carat::server
