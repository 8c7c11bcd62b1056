#pragma once

#include "http/router.h"
#include "server/server_context.h"

namespace carat::server::anthropic {

// /v1/messages and /v1/messages/count_tokens. The context must outlive the router.
void add_routes(http::Router& router, ServerContext& context);

}  // namespace carat::server::anthropic
