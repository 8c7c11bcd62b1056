#include <utility>
#include <vector>

#include "chat/prompt_style.h"
#include "server/chat_prompt.h"
#include "server/ollama/answer.h"
#include "server/ollama/request.h"
#include "server/ollama/routes.h"
#include "server/route_helpers.h"
#include "server/start_answer.h"
#include "server/with_model.h"

namespace carat::server::ollama {
namespace {

using HttpRequest = std::shared_ptr<const http::ServerRequest>;

ApiResult<prompt::GenerationRequest> to_generation(const ServedModel& model, Request& request,
                                                   const std::stop_token& stop) {
  if (request.is_raw) {
    prompt::GenerationRequest raw;
    raw.prompt.emplace_back(prompt::Markup{std::move(request.prompt)});
    return raw;
  }
  for (std::string& text : chat::stop_strings(model.style))
    request.options.sampling.stop.push_back(std::move(text));
  return render_chat(model, request.turns, stop);
}

ApiResult<> answer(ServerContext& context, AnswerKind kind, NamedModel named, const boost::json::object& body,
                   const HttpRequest& http_request, const http::Responder& responder) {
  const ServedModel& model = *named.model;
  CARAT_TRY(Request request, kind == AnswerKind::kChat ? parse_chat(body, model.sampling)
                                                       : parse_generate(body, model.sampling));
  const bool has_prompt = request.is_raw ? !request.prompt.empty() : !request.turns.messages.empty();
  if (!has_prompt) {
    AnswerHead head;
    head.created = context.unix_time();
    head.model = named.name;
    responder.send(json_response(empty_answer(head, kind, "load")));
    return {};
  }
  CARAT_TRY(prompt::GenerationRequest prompt, to_generation(model, request, http_request->stop));
  AnswerStarter starter(context, std::move(named), request.options, http_request);
  std::vector<prompt::GenerationRequest> prompts;
  prompts.push_back(std::move(prompt));
  starter.start(std::move(prompts), make_format(starter.head(""), kind, request.options.stream), responder);
  return {};
}

}  // namespace

void add_answer_routes(http::Router& router, ServerContext& context) {
  const auto add = [&](std::string_view pattern, AnswerKind kind) {
    const auto handle = [kind](ServerContext& it, NamedModel named, const boost::json::object& body,
                               const HttpRequest& request, const http::Responder& responder) {
      return answer(it, kind, std::move(named), body, request, responder);
    };
    add_route(router, "POST", pattern, with_model(context, handle, read_wish),
              {.most_body_bytes = kMostPromptBytes});
  };
  add("/api/chat", AnswerKind::kChat);
  add("/api/generate", AnswerKind::kGenerate);
}

}  // namespace carat::server::ollama
