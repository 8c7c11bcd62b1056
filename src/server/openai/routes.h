#pragma once

#include "http/router.h"
#include "server/server_context.h"

namespace carat::server::openai {

// Chat completions, completions, responses, models, tokens and properties, each also without /v1. The context
// must outlive the router.
void add_routes(http::Router& router, ServerContext& context);

// The parts of it.
void add_chat_routes(http::Router& router, ServerContext& context);
void add_completion_routes(http::Router& router, ServerContext& context);
void add_model_routes(http::Router& router, ServerContext& context);
void add_response_routes(http::Router& router, ServerContext& context);
void add_token_routes(http::Router& router, ServerContext& context);

}  // namespace carat::server::openai
