#include "server/openai/routes.h"

namespace carat::server::openai {

void add_routes(http::Router& router, ServerContext& context) {
  add_chat_routes(router, context);
  add_completion_routes(router, context);
  add_model_routes(router, context);
  add_response_routes(router, context);
  add_token_routes(router, context);
}

}  // namespace carat::server::openai
