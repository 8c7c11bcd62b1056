#pragma once

#include "http/router.h"
#include "server/server_context.h"

namespace carat::server::ollama {

// Ollama's API: "/", /api/version, tags, show, ps, chat and generate. The context must outlive the router.
void add_routes(http::Router& router, ServerContext& context);

// The parts of it.
void add_answer_routes(http::Router& router, ServerContext& context);
void add_catalogue_routes(http::Router& router, ServerContext& context);

// The model that "model" or "name" names; kMissingParameter where neither does. "keep_alive" says how
// long it stays.
ApiResult<ModelWish> read_wish(const boost::json::object& body);

}  // namespace carat::server::ollama
