#include <chrono>
#include <string>
#include <string_view>
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

ApiResult<Request> parse(AnswerKind kind, const boost::json::object& body,
                         const prompt::SamplingParams& defaults) {
  return kind == AnswerKind::kChat ? parse_chat(body, defaults) : parse_generate(body, defaults);
}

bool has_prompt(const Request& request) {
  return request.is_raw ? !request.prompt.empty() : !request.turns.messages.empty();
}

void send_empty(const ServerContext& context, AnswerKind kind, const std::string& model,
                std::string_view reason, const http::Responder& responder) {
  AnswerHead head;
  head.created = context.unix_time();
  head.model = model;
  responder.send(json_response(empty_answer(head, kind, reason)));
}

// A pinned model stays, and the answer says so.
ApiResult<> unload(ServerContext& context, AnswerKind kind, const ModelWish& wish,
                   const http::Responder& responder) {
  const auto gone = context.models.unload(wish.name);
  if (!gone) return std::unexpected(told_as(ErrorShape::kOllama, gone.error(), wish.name));
  send_empty(context, kind, wish.name, *gone ? "unload" : "load", responder);
  return {};
}

ApiResult<> answer(ServerContext& context, AnswerKind kind, NamedModel named, const boost::json::object& body,
                   const HttpRequest& http_request, const http::Responder& responder) {
  const ServedModel& model = *named.model;
  CARAT_TRY(Request request, parse(kind, body, model.sampling));
  if (!has_prompt(request)) {
    send_empty(context, kind, named.name, "load", responder);
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
    const auto begin = [&context, kind, handle](const HttpRequest& request,
                                                const http::Responder& responder) -> ApiResult<> {
      CARAT_TRY(boost::json::object body, parse_body(*request));
      CARAT_TRY(const ModelWish wish, read_wish(body));
      if (wish.keep_alive == std::chrono::nanoseconds(0)) {
        CARAT_TRY(const Request parsed, parse(kind, body, {}));
        if (!has_prompt(parsed)) return unload(context, kind, wish, responder);
      }
      call_with_model(context, wish, std::move(body), request, responder, handle);
      return {};
    };
    add_route(router, "POST", pattern, RouteAccess::kInference, begin, {.most_body_bytes = kMostPromptBytes});
  };
  add("/api/chat", AnswerKind::kChat);
  add("/api/generate", AnswerKind::kGenerate);
}

}  // namespace carat::server::ollama
