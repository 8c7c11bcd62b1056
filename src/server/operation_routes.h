#pragma once

#include "http/router.h"
#include "server/server_context.h"

namespace carat::server {

// /health, /ready and /version, each also below /v1, and the guard of all routes. The context must outlive
// the router.
void add_operation_routes(http::Router& router, ServerContext& context);

// Of all loaded models' engines.
Health::Report health_of(const ServerContext& context);

}  // namespace carat::server
