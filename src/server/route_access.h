#pragma once

#include <cstdint>

namespace carat::server {

// Who may use a route. What no route says is denied.
enum class RouteAccess : std::uint32_t {
  kDenied = 0,
  kOpen,       // everybody, without a key, beyond all limits: it tells nothing and costs nothing
  kInference,  // the scopes of keys
  kMetrics,
  kAdmin,
};

}  // namespace carat::server
