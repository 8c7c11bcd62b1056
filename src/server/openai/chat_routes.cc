#include <utility>

#include "chat/prompt_style.h"
#include "server/chat_prompt.h"
#include "server/openai/chat_answer.h"
#include "server/openai/chat_request.h"
#include "server/openai/routes.h"
#include "server/route_helpers.h"
#include "server/start_answer.h"
#include "server/with_model.h"

namespace carat::server::openai {
namespace {

using Request = std::shared_ptr<const http::ServerRequest>;

ApiResult<> complete_chat(ServerContext& context, NamedModel named, const boost::json::object& body,
                          const Request& request, const http::Responder& responder) {
  const ServedModel& model = *named.model;
  CARAT_TRY(ChatRequest chat, parse_chat_request(body, model.sampling));
  CARAT_TRY(prompt::GenerationRequest prompt, render_chat(model, chat.turns, request->stop));
  for (std::string& text : chat::stop_strings(model.style))
    chat.options.sampling.stop.push_back(std::move(text));
  AnswerStarter starter(context, std::move(named), chat.options, request);
  std::vector<prompt::GenerationRequest> prompts;
  prompts.push_back(std::move(prompt));
  starter.start(std::move(prompts), make_chat_format(starter.head("chatcmpl-"), chat.options), responder);
  return {};
}

ApiResult<> count_chat_tokens(ServerContext&, const NamedModel& named, const boost::json::object& body,
                              const Request& request, const http::Responder& responder) {
  CARAT_TRY(const ChatRequest chat, parse_chat_messages(body));
  CARAT_TRY(const prompt::GenerationRequest prompt, render_chat(*named.model, chat.turns, request->stop));
  const auto count = named.model->engine->count_tokens(prompt);
  if (!count) return std::unexpected(from_engine(count.error()));
  responder.send(json_response({{"object", "response.input_tokens"}, {"input_tokens", *count}}));
  return {};
}

}  // namespace

void add_chat_routes(http::Router& router, ServerContext& context) {
  const http::RouteOptions options{.most_body_bytes = kMostPromptBytes};
  add_both(router, "POST", "/chat/completions", RouteAccess::kInference, with_model(context, complete_chat),
           options);
  add_both(router, "POST", "/chat/completions/input_tokens", RouteAccess::kInference,
           with_model(context, count_chat_tokens), options);
}

}  // namespace carat::server::openai
