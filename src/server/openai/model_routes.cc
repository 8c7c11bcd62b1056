#include <boost/json/array.hpp>
#include <utility>

#include "chat/prompt_style.h"
#include "server/openai/routes.h"
#include "server/route_helpers.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using Request = std::shared_ptr<const http::ServerRequest>;

json::object model_object(const ServedModel& model, const std::string& name) {
  const engine::Capabilities capabilities = model.engine->capabilities();
  return {{"id", name},
          {"object", "model"},
          {"created", model.created},
          {"owned_by", "carat"},
          {"max_model_len", capabilities.context_length},
          {"meta",
           {{"n_vocab", capabilities.vocabulary_size},
            {"n_ctx", capabilities.context_length},
            {"vision", capabilities.images},
            {"instruction_tuned", model.style == chat::PromptStyle::kGemma}}}};
}

// An empty list while the model is being loaded: clients ask for it first, and 503 would be no help to them.
ApiResult<> list_models(const ServerContext& context, const Request&, const http::Responder& responder) {
  json::array data;
  if (const auto model = context.models.model()) {
    for (const std::string& name : context.models.names()) data.push_back(model_object(*model, name));
  }
  responder.send(json_response({{"object", "list"}, {"data", std::move(data)}}));
  return {};
}

ApiResult<> show_model(const ServerContext& context, const Request& request,
                       const http::Responder& responder) {
  CARAT_TRY(const NamedModel named, context.models.find(request->param("id").value_or("")));
  responder.send(json_response(model_object(*named.model, named.name)));
  return {};
}

// What llama-server's clients look at before they ask.
ApiResult<> show_properties(const ServerContext& context, const Request&, const http::Responder& responder) {
  CARAT_TRY(const NamedModel named, context.models.find(""));
  const engine::Capabilities capabilities = named.model->engine->capabilities();
  const prompt::SamplingParams& sampling = named.model->sampling;
  responder.send(json_response({{"default_generation_settings",
                                 {{"n_ctx", capabilities.context_length},
                                  {"params",
                                   {{"temperature", sampling.temperature},
                                    {"top_k", sampling.top_k},
                                    {"top_p", sampling.top_p},
                                    {"min_p", sampling.min_p},
                                    {"repeat_penalty", sampling.repetition_penalty},
                                    {"presence_penalty", sampling.presence_penalty},
                                    {"frequency_penalty", sampling.frequency_penalty}}}}},
                                {"model_alias", named.name},
                                {"chat_style", chat::name_of(named.model->style)},
                                {"modalities", {{"vision", capabilities.images}, {"audio", false}}},
                                {"build_info", "carat " + context.version}}));
  return {};
}

}  // namespace

void add_model_routes(http::Router& router, ServerContext& context) {
  constexpr http::RouteOptions kAtOnce = {.run_on = http::RunOn::kIoThread};
  const auto add = [&](std::string_view pattern, auto handle) {
    add_both(
        router, "GET", pattern, RouteAccess::kInference,
        [&context, handle](const Request& request, const http::Responder& responder) {
          return handle(context, request, responder);
        },
        kAtOnce);
  };
  add("/models", list_models);
  add("/models/{id...}", show_model);
  add("/props", show_properties);
}

}  // namespace carat::server::openai
