#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "chat/prompt_style.h"
#include "server/ollama/answer.h"
#include "server/ollama/routes.h"
#include "server/route_helpers.h"
#include "server/with_model.h"

namespace carat::server::ollama {
namespace {

namespace json = boost::json;
using HttpRequest = std::shared_ptr<const http::ServerRequest>;

// Of what stays until the memory is needed.
constexpr std::string_view kNever = "9999-12-31T23:59:59Z";

// "268.10M", "4.30B".
std::string count_text(std::uint64_t parameters) {
  const auto count = static_cast<double>(parameters);
  return parameters < 1'000'000'000 ? fmt::format("{:.2f}M", count / 1e6)
                                    : fmt::format("{:.2f}B", count / 1e9);
}

json::object details(const ModelFacts& facts) {
  return {{"parent_model", ""},
          {"format", facts.format},
          {"family", "gemma3"},
          {"families", json::array{"gemma3"}},
          {"parameter_size", count_text(facts.parameters)},
          {"quantization_level", facts.precision}};
}

json::object entry(const ModelFacts& facts, const std::string& name) {
  return {{"name", name},
          {"model", name},
          {"size", facts.bytes},
          {"digest", facts.digest},
          {"details", details(facts)}};
}

// A model under each of its names.
template <class Row>
void add_rows(const ModelRegistry& models, const std::string& id, const Row& row_of, json::array& rows) {
  rows.push_back(row_of(id));
  for (const std::string& alias : models.aliases_of(id)) rows.push_back(row_of(alias));
}

http::Response tags(const ServerContext& context) {
  json::array rows;
  const auto add = [&](const std::string& id, const ModelFacts& facts) {
    const auto row_of = [&](const std::string& name) {
      json::object row = entry(facts, name);
      row["modified_at"] = utc_time(facts.modified);
      return row;
    };
    add_rows(context.models, id, row_of, rows);
  };
  for (const LoadedModelView& view : context.models.loaded()) add(view.model->id, view.model->facts);
  for (const CatalogueModel& model : context.models.catalogue()) add(model.id, model.facts);
  return json_response({{"models", std::move(rows)}});
}

http::Response running(const ServerContext& context) {
  json::array rows;
  for (const LoadedModelView& view : context.models.loaded()) {
    const auto row_of = [&](const std::string& name) {
      json::object row = entry(view.model->facts, name);
      row["expires_at"] = view.remaining
                              ? utc_time(context.unix_time() +
                                         std::chrono::ceil<std::chrono::seconds>(*view.remaining).count())
                              : std::string(kNever);
      row["size_vram"] = 0;
      row["context_length"] = view.model->engine->capabilities().context_length;
      return row;
    };
    add_rows(context.models, view.model->id, row_of, rows);
  }
  return json_response({{"models", std::move(rows)}});
}

http::Response shown(const ModelFacts& facts, std::size_t context_length, bool images) {
  json::array capabilities = {"completion"};
  if (images) capabilities.push_back("vision");
  return json_response({{"modelfile", ""},
                        {"parameters", ""},
                        {"template", ""},
                        {"details", details(facts)},
                        {"model_info",
                         {{"general.architecture", "gemma3"},
                          {"general.parameter_count", facts.parameters},
                          {"gemma3.context_length", context_length}}},
                        {"capabilities", std::move(capabilities)},
                        {"modified_at", utc_time(facts.modified)}});
}

// A model is shown without being loaded.
ApiResult<> show(ServerContext& context, const HttpRequest& request, const http::Responder& responder) {
  CARAT_TRY(const json::object body, parse_body(*request));
  CARAT_TRY(const ModelWish wish, read_wish(body));
  const auto name = context.models.resolve(wish.name);
  if (!name) return std::unexpected(told_as(ErrorShape::kOllama, name.error(), wish.name));
  for (const LoadedModelView& view : context.models.loaded()) {
    if (view.model->id != name->id) continue;
    const engine::Capabilities engine = view.model->engine->capabilities();
    responder.send(shown(view.model->facts, engine.context_length, engine.images));
    return {};
  }
  for (const CatalogueModel& model : context.models.catalogue()) {
    if (model.id != name->id) continue;
    responder.send(shown(model.facts, model.context_length, model.images));
    return {};
  }
  return std::unexpected(told_as(ErrorShape::kOllama, {.code = ApiErrorCode::kModelNotFound}, wish.name));
}

}  // namespace

void add_catalogue_routes(http::Router& router, ServerContext& context) {
  constexpr http::RouteOptions kAtOnce = {.run_on = http::RunOn::kIoThread};
  const auto add = [&](std::string_view pattern, auto answer) {
    add_route(
        router, "GET", pattern, RouteAccess::kInference,
        [answer, &context](const HttpRequest&, const http::Responder& responder) -> ApiResult<> {
          responder.send(answer(context));
          return {};
        },
        kAtOnce);
  };
  // Clients look for these very words.
  add("/", [](const ServerContext&) {
    return http::Response{.headers = {{"Content-Type", "text/plain; charset=utf-8"}},
                          .body = "Ollama is running"};
  });
  add("/api/version", [](const ServerContext& it) { return json_response({{"version", it.version}}); });
  add("/api/ps", running);
  // These may read the disk.
  add_route(router, "GET", "/api/tags", RouteAccess::kInference,
            [&context](const HttpRequest&, const http::Responder& responder) -> ApiResult<> {
              responder.send(tags(context));
              return {};
            });
  add_route(router, "POST", "/api/show", RouteAccess::kInference,
            [&context](const HttpRequest& request, const http::Responder& responder) {
              return show(context, request, responder);
            });
}

}  // namespace carat::server::ollama
