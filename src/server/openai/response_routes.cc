#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "chat/context_plan.h"
#include "chat/prompt_style.h"
#include "http/json_body.h"
#include "server/chat_prompt.h"
#include "server/openai/response_answer.h"
#include "server/openai/response_request.h"
#include "server/openai/routes.h"
#include "server/openai/stored_turns.h"
#include "server/route_helpers.h"
#include "server/start_answer.h"
#include "server/with_model.h"
#include "session/history.h"
#include "session/plan_turn.h"
#include "session/prompt_hash.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using Request = std::shared_ptr<const http::ServerRequest>;

ApiError no_response(std::string_view param = {}) {
  return {.code = ApiErrorCode::kNotFound,
          .message = "There is no response with this id; it may have expired.",
          .param = std::string(param)};
}

// What is told of an error of the store's while reading; its details go to the log.
ApiError from_store(ServerContext& context, const Error& error, const http::ServerRequest& request) {
  if (error.kind == ErrorKind::kNotFound) return no_response();
  if (error.kind == ErrorKind::kBusy) return {.code = ApiErrorCode::kOverloaded};
  if (context.on_failure) context.on_failure(request.id, error.message);
  return {.code = ApiErrorCode::kInternal};
}

// One request for a response, on a thread that may wait for the store.
class ResponseMaker {
 public:
  ResponseMaker(ServerContext& context, Request request, NamedModel model, ResponseRequest asked)
      : context_(context),
        request_(std::move(request)),
        model_(std::move(model)),
        asked_(std::move(asked)),
        owner_(context.store_owner(*request_)),
        keeps_(asked_.store.value_or(true) && context.store != nullptr) {}

  ApiResult<> answer(const http::Responder& responder) {
    if (asked_.store.value_or(false) && !keeps_) {
      return std::unexpected(ApiError{.code = ApiErrorCode::kUnsupportedParameter,
                                      .message = "store must be false: this server keeps nothing",
                                      .param = "store"});
    }
    CARAT_TRY_VOID(read_history());
    CARAT_TRY(prompt::GenerationRequest prompt, render());
    CARAT_TRY(const chat::ContextPlan plan, make_plan(prompt));
    for (std::string& text : chat::stop_strings(model_.model->style))
      asked_.options.sampling.stop.push_back(std::move(text));
    AnswerStarter starter(context_, model_, asked_.options, request_);
    ResponseHead head{.digits = random_id(""), .created = context_.unix_time(), .body = asked_.echo};
    head.body["model"] = model_.name;
    head.body["seed"] = starter.head("").seed;
    head.body["store"] = keeps_;
    std::shared_ptr<session::KeptAnswer> kept;
    if (keeps_) {
      CARAT_TRY(kept, keep(head, prompt, plan));
      head.digits = to_compact_string(kept->id());
      head.created = std::chrono::floor<std::chrono::seconds>(kept->created()).time_since_epoch().count();
    }
    std::vector<prompt::GenerationRequest> prompts;
    prompts.push_back(std::move(prompt));
    starter.start(std::move(prompts), make_response_format(std::move(head), asked_.options.stream), responder,
                  std::move(kept));
    return {};
  }

 private:
  ApiResult<> read_history() {
    if (!asked_.previous) return {};
    if (context_.store == nullptr) return std::unexpected(no_response("previous_response_id"));
    auto history = context_.store
                       ->submit([owner = owner_, id = *asked_.previous](store::Store& store) {
                         return session::read_response_history(store, owner, id);
                       })
                       .get();
    if (!history) return std::unexpected(bad_history(history.error()));
    history_ = std::move(*history);
    return {};
  }

  ApiError bad_history(const Error& error) {
    ApiError told{.code = ApiErrorCode::kInvalidValue, .message = {}, .param = "previous_response_id"};
    switch (error.kind) {
      case ErrorKind::kConflict: told.message = "That response is still being written."; return told;
      case ErrorKind::kQuota: told.message = "The files of that conversation are too many."; return told;
      case ErrorKind::kNotFound: return no_response("previous_response_id");
      default: return from_store(context_, error, *request_);
    }
  }

  ApiResult<prompt::GenerationRequest> render() {
    ChatBuilder chat;
    if (!asked_.instructions.empty()) chat.add_system(asked_.instructions);
    if (history_) add_history(*history_, *model_.model, chat);
    add_messages(asked_.input, asked_.blobs, chat);
    const ChatTurns turns = std::move(chat).finish();
    if (image_count(turns) > kMostImages) {
      return std::unexpected(ApiError{.code = ApiErrorCode::kInvalidValue,
                                      .message = "The conversation has too many images.",
                                      .param = "input"});
    }
    for (const ChatMessage& message : turns.messages) sources_.push_back(message.source);
    return render_chat(*model_.model, turns, request_->stop);
  }

  ApiResult<chat::ContextPlan> make_plan(const prompt::GenerationRequest& prompt) {
    engine::Engine& engine = *model_.model->engine;
    auto plan = session::plan_turn(engine, prompt, sources_);
    if (plan) return std::move(*plan);
    if (plan.error().kind != ErrorKind::kContextExceeded) return std::unexpected(from_engine(plan.error()));
    const auto tokens = engine.count_tokens(prompt);
    return std::unexpected(context_exceeded({tokens.value_or(0), engine.capabilities().context_length}));
  }

  ApiResult<std::shared_ptr<session::KeptAnswer>> keep(const ResponseHead& head,
                                                       const prompt::GenerationRequest& prompt,
                                                       const chat::ContextPlan& plan) {
    session::TurnToKeep turn{.owner = owner_};
    if (history_) {
      turn.conversation = history_->conversation;
      turn.parent = asked_.previous;
    }
    turn.kind.kind = store::ConversationKind::kResponses;
    turn.messages = std::move(asked_.input);
    turn.blobs = std::move(asked_.blobs);
    turn.answer.model_hash = digest_from_hex(model_.model->facts.digest);
    turn.answer.sampling = asked_.options.sampling;
    turn.answer.seed = head.body.at("seed").to_number<std::uint64_t>();
    turn.answer.prompt_hash = session::prompt_hash(prompt.prompt);
    turn.answer.plan = chat::to_json(plan);
    turn.response = store::NewResponse{.previous = asked_.previous, .body = json::serialize(head.body)};
    if (context_.response_lifetime)
      turn.response->expires =
          WallTime(std::chrono::seconds(context_.unix_time())) + *context_.response_lifetime;
    auto kept = session::KeptAnswer::begin(*context_.store, std::move(turn));
    if (kept) return std::move(*kept);
    if (kept.error().kind == ErrorKind::kBusy)
      return std::unexpected(ApiError{.code = ApiErrorCode::kOverloaded});
    if (context_.on_failure) context_.on_failure(request_->id, kept.error().message);
    return std::unexpected(not_stored(kept.error()));
  }

  ServerContext& context_;
  const Request request_;
  const NamedModel model_;
  ResponseRequest asked_;
  const store::OwnerId owner_;
  const bool keeps_;
  std::optional<session::History> history_;
  std::vector<std::string> sources_;  // of each message of the prompt
};

ApiResult<> create_response(ServerContext& context, NamedModel named, const json::object& body,
                            const Request& request, const http::Responder& responder) {
  const ResponseDefaults defaults{.sampling = named.model->sampling,
                                  .pan_and_scan = named.model->pan_and_scan};
  CARAT_TRY(ResponseRequest asked, parse_response_request(body, defaults));
  return ResponseMaker(context, request, std::move(named), std::move(asked)).answer(responder);
}

// A response and the message that it is.
struct StoredResponse {
  store::Response response;
  store::Message message;
};

Result<StoredResponse> find_response(store::Store& store, const store::OwnerId& owner, const Uuid& id) {
  StoredResponse found;
  CARAT_TRY(found.response, store.responses().get(owner, id));
  CARAT_TRY(found.message, store.conversations().message(owner, id));
  return found;
}

ApiResult<json::object> stored_object(const StoredResponse& stored) {
  auto body = http::parse_json_body(stored.response.body);
  if (!body || !body->is_object()) return std::unexpected(ApiError{.code = ApiErrorCode::kInternal});
  const store::Message& message = stored.message;
  const auto created = std::chrono::floor<std::chrono::seconds>(stored.response.created);
  const ResponseHead head{.digits = to_compact_string(stored.response.id),
                          .created = created.time_since_epoch().count(),
                          .body = std::move(body->get_object())};
  ResponseState state = state_of(message.status, message.answer.finish_reason);
  if (message.status != store::Status::kPending)
    state.text = to_chat_message(message.role, message.parts, {}).text;
  if (message.answer.prompt_tokens && message.answer.answer_tokens) {
    state.usage = ResponseUsage{.input_tokens = *message.answer.prompt_tokens,
                                .cached_tokens = message.answer.cached_tokens.value_or(0),
                                .output_tokens = *message.answer.answer_tokens};
  }
  return response_object(head, state);
}

// The id of the path; none for one that no response has.
std::optional<Uuid> id_of(const http::ServerRequest& request) {
  return parse_response_id(request.param("id").value_or(""));
}

ApiResult<> get_response(ServerContext& context, const Request& request, const http::Responder& responder) {
  const auto id = id_of(*request);
  if (!id || context.store == nullptr) return std::unexpected(no_response());
  context.store->post(
      [owner = context.store_owner(*request), id = *id](store::Store& store) {
        return find_response(store, owner, id);
      },
      [&context, request, responder](const Result<StoredResponse>& found) {
        if (!found)
          return static_cast<void>(responder.send(
              error_response(from_store(context, found.error(), *request), ErrorShape::kOpenAi)));
        const auto object = stored_object(*found);
        responder.send(object ? json_response(*object) : error_response(object.error(), ErrorShape::kOpenAi));
      });
  return {};
}

ApiResult<> delete_response(ServerContext& context, const Request& request,
                            const http::Responder& responder) {
  const auto id = id_of(*request);
  if (!id || context.store == nullptr) return std::unexpected(no_response());
  context.store->post(
      [owner = context.store_owner(*request), id = *id](store::Store& store) {
        return store.responses().remove(owner, id);
      },
      [&context, request, responder, id = *id](const Result<>& removed) {
        responder.send(
            removed ? json_response({{"id", response_id(id)}, {"object", "response"}, {"deleted", true}})
                    : error_response(from_store(context, removed.error(), *request), ErrorShape::kOpenAi));
      });
  return {};
}

}  // namespace

void add_response_routes(http::Router& router, ServerContext& context) {
  const http::RouteOptions options{.most_body_bytes = kMostPromptBytes};
  const auto bind = [&context](auto handle) {
    return [&context, handle](const Request& request, const http::Responder& responder) {
      return handle(context, request, responder);
    };
  };
  add_both(router, "POST", "/responses", RouteAccess::kInference, with_model(context, create_response),
           options);
  add_both(router, "GET", "/responses/{id}", RouteAccess::kInference, bind(get_response));
  add_both(router, "DELETE", "/responses/{id}", RouteAccess::kInference, bind(delete_response));
}

}  // namespace carat::server::openai
