#include <boost/json/array.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "chat/prompt_style.h"
#include "server/openai/routes.h"
#include "server/route_helpers.h"
#include "server/with_model.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using Request = std::shared_ptr<const http::ServerRequest>;

// One model under one name, whether it is loaded or not.
struct ModelRow {
  std::string name;
  std::int64_t created = 0;  // seconds since 1970
  std::size_t context_length = 0;
  std::size_t vocabulary = 0;  // 0: not known
  bool images = false;
  bool instruction_tuned = false;
  bool is_loaded = false;
};

ModelRow row_of(const ServedModel& model) {
  const engine::Capabilities capabilities = model.engine->capabilities();
  return {.name = model.id,
          .created = model.created,
          .context_length = capabilities.context_length,
          .vocabulary = capabilities.vocabulary_size,
          .images = capabilities.images,
          .instruction_tuned = model.style == chat::PromptStyle::kGemma,
          .is_loaded = true};
}

ModelRow row_of(const CatalogueModel& model) {
  return {.name = model.id,
          .created = model.facts.modified,
          .context_length = model.context_length,
          .images = model.images,
          .instruction_tuned = model.instruction_tuned};
}

// Every name that a request may have in "model": those of loaded models first.
std::vector<ModelRow> all_rows(const ModelRegistry& models) {
  std::vector<ModelRow> rows;
  const auto add = [&](ModelRow row) {
    const std::string id = row.name;
    rows.push_back(row);
    for (std::string& alias : models.aliases_of(id)) {
      row.name = std::move(alias);
      rows.push_back(row);
    }
  };
  for (const LoadedModelView& view : models.loaded()) add(row_of(*view.model));
  for (const CatalogueModel& model : models.catalogue()) add(row_of(model));
  return rows;
}

json::object model_object(const ModelRow& row) {
  json::object meta = {
      {"n_ctx", row.context_length}, {"vision", row.images}, {"instruction_tuned", row.instruction_tuned}};
  if (row.vocabulary > 0) meta["n_vocab"] = row.vocabulary;
  return {{"id", row.name},
          {"object", "model"},
          {"created", row.created},
          {"owned_by", "carat"},
          {"max_model_len", row.context_length},
          {"status", {{"value", row.is_loaded ? "loaded" : "unloaded"}}},
          {"meta", std::move(meta)}};
}

// An empty list while the model is being loaded: clients ask for it first, and 503 would be no help to them.
ApiResult<> list_models(const ServerContext& context, const Request&, const http::Responder& responder) {
  json::array data;
  for (const ModelRow& row : all_rows(context.models)) data.push_back(model_object(row));
  responder.send(json_response({{"object", "list"}, {"data", std::move(data)}}));
  return {};
}

ApiResult<> show_model(const ServerContext& context, const Request& request,
                       const http::Responder& responder) {
  CARAT_TRY(const ModelName asked, context.models.resolve(request->param("id").value_or("")));
  for (ModelRow& row : all_rows(context.models)) {
    if (row.name != asked.id) continue;
    row.name = asked.name;
    responder.send(json_response(model_object(row)));
    return {};
  }
  return std::unexpected(ApiError{.code = ApiErrorCode::kModelNotFound, .message = {}, .param = "model"});
}

// What llama-server's clients look at before they ask.
ApiResult<> show_properties(ServerContext& context, const NamedModel& named, const json::object&,
                            const Request&, const http::Responder& responder) {
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
  const auto add = [&](std::string_view pattern, auto handle) {
    add_both(router, "GET", pattern, RouteAccess::kInference,
             [&context, handle](const Request& request, const http::Responder& responder) {
               return handle(context, request, responder);
             });
  };
  add("/models", list_models);
  add("/models/{id...}", show_model);
  add_both(router, "GET", "/props", RouteAccess::kInference, with_model(context, show_properties));
}

}  // namespace carat::server::openai
