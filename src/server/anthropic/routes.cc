#include "server/anthropic/routes.h"

#include <string>
#include <utility>
#include <vector>

#include "chat/prompt_style.h"
#include "server/anthropic/answer.h"
#include "server/anthropic/request.h"
#include "server/chat_prompt.h"
#include "server/route_helpers.h"
#include "server/start_answer.h"
#include "server/with_model.h"

namespace carat::server::anthropic {
namespace {

using HttpRequest = std::shared_ptr<const http::ServerRequest>;

ApiResult<> create_message(ServerContext& context, NamedModel named, const boost::json::object& body,
                           const HttpRequest& http_request, const http::Responder& responder) {
  const ServedModel& model = *named.model;
  CARAT_TRY(Request request, parse_request(body, model.sampling));
  CARAT_TRY(prompt::GenerationRequest prompt, render_chat(model, request.turns, http_request->stop));
  std::vector<std::string> stop_sequences = request.options.sampling.stop;
  for (std::string& text : chat::stop_strings(model.style))
    request.options.sampling.stop.push_back(std::move(text));
  AnswerStarter starter(context, std::move(named), request.options, http_request);
  std::vector<prompt::GenerationRequest> prompts;
  prompts.push_back(std::move(prompt));
  auto format = make_format(starter.head("msg_"), request.options.stream, std::move(stop_sequences));
  starter.start(std::move(prompts), std::move(format), responder);
  return {};
}

ApiResult<> count_tokens(ServerContext&, const NamedModel& named, const boost::json::object& body,
                         const HttpRequest& http_request, const http::Responder& responder) {
  CARAT_TRY(const ChatTurns turns, parse_turns(body));
  CARAT_TRY(const prompt::GenerationRequest prompt, render_chat(*named.model, turns, http_request->stop));
  const auto count = named.model->engine->count_tokens(prompt);
  if (!count) return std::unexpected(from_engine(count.error()));
  responder.send(json_response({{"input_tokens", *count}}));
  return {};
}

}  // namespace

void add_routes(http::Router& router, ServerContext& context) {
  const http::RouteOptions options{.most_body_bytes = kMostPromptBytes};
  const auto add = [&](std::string_view pattern, auto handle) {
    add_route(router, "POST", pattern, RouteAccess::kInference, with_model(context, handle), options);
  };
  add("/v1/messages", create_message);
  add("/v1/messages/count_tokens", count_tokens);
}

}  // namespace carat::server::anthropic
