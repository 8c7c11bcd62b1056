#include <fmt/format.h>

#include <boost/json/array.hpp>
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

// Our only model is never unloaded.
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

json::object entry(const ServedModel& model, const std::string& name) {
  return {{"name", name},
          {"model", name},
          {"size", model.facts.bytes},
          {"digest", model.facts.digest},
          {"details", details(model.facts)}};
}

http::Response list(const ServerContext& context, bool running) {
  json::array models;
  if (const auto model = context.models.model()) {
    for (const std::string& name : context.models.names()) {
      json::object item = entry(*model, name);
      if (running) {
        item["expires_at"] = kNever;
        item["size_vram"] = 0;
        item["context_length"] = model->engine->capabilities().context_length;
      } else {
        item["modified_at"] = utc_time(model->facts.modified);
      }
      models.push_back(std::move(item));
    }
  }
  return json_response({{"models", std::move(models)}});
}

ApiResult<> show(ServerContext&, const NamedModel& named, const json::object&, const HttpRequest&,
                 const http::Responder& responder) {
  const ServedModel& model = *named.model;
  const engine::Capabilities engine = model.engine->capabilities();
  json::array capabilities = {"completion"};
  if (engine.images) capabilities.push_back("vision");
  responder.send(json_response({{"modelfile", ""},
                                {"parameters", ""},
                                {"template", ""},
                                {"details", details(model.facts)},
                                {"model_info",
                                 {{"general.architecture", "gemma3"},
                                  {"general.parameter_count", model.facts.parameters},
                                  {"gemma3.context_length", engine.context_length}}},
                                {"capabilities", std::move(capabilities)},
                                {"modified_at", utc_time(model.facts.modified)}}));
  return {};
}

}  // namespace

void add_catalogue_routes(http::Router& router, ServerContext& context) {
  constexpr http::RouteOptions kAtOnce = {.run_on = http::RunOn::kIoThread};
  const auto add = [&](std::string_view pattern, auto answer) {
    add_route(
        router, "GET", pattern,
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
  add("/api/tags", [](const ServerContext& it) { return list(it, false); });
  add("/api/ps", [](const ServerContext& it) { return list(it, true); });
  add_route(router, "POST", "/api/show", with_model(context, show, read_wish));
}

}  // namespace carat::server::ollama
