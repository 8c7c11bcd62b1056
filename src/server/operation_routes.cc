#include "server/operation_routes.h"

#include <boost/json/object.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "server/route_helpers.h"

namespace carat::server {
namespace {

namespace json = boost::json;

http::Response health(const ServerContext& context) {
  const Health::Report report = health_of(context);
  json::object body = {{"status", report.is_stuck ? "stuck" : "ok"}};
  if (report.step_age)
    body["step_age_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(*report.step_age).count();
  return json_response(body, report.is_stuck ? 503 : 200);
}

http::Response readiness(const ServerContext& context) {
  if (context.health.drains()) return json_response({{"status", "draining"}}, 503);
  if (!context.models.is_ready()) return json_response({{"status", "loading"}}, 503);
  return json_response({{"status", "ready"}});
}

http::Response metrics(const ServerContext& context) {
  std::vector<ModelStatus> models;
  for (const LoadedModelView& view : context.models.loaded())
    models.push_back({.name = view.model->id, .engine = view.model->engine->status()});
  return {.status = 200,
          .headers = {{"Content-Type", std::string(Metrics::kMediaType)}, {"Cache-Control", "no-store"}},
          .body = context.metrics.text(models)};
}

}  // namespace

Health::Report health_of(const ServerContext& context) {
  std::vector<engine::EngineStatus> engines;
  for (const LoadedModelView& view : context.models.loaded()) engines.push_back(view.model->engine->status());
  return context.health.look(engines);
}

void add_operation_routes(http::Router& router, ServerContext& context) {
  using Request = std::shared_ptr<const http::ServerRequest>;
  // On the I/O threads: a probe must be answered while all others are busy.
  constexpr http::RouteOptions kAtOnce = {.run_on = http::RunOn::kIoThread};
  const auto add = [&](std::string_view pattern, RouteAccess access, auto answer) {
    add_both(
        router, "GET", pattern, access,
        [answer, &context](const Request&, const http::Responder& responder) -> ApiResult<> {
          responder.send(answer(context));
          return {};
        },
        kAtOnce);
  };
  add("/health", RouteAccess::kOpen, health);
  add("/ready", RouteAccess::kOpen, readiness);
  add("/version", RouteAccess::kInference,
      [](const ServerContext& it) { return json_response({{"version", it.version}}); });
  add_route(router, "GET", "/metrics", RouteAccess::kMetrics,
            [&context](const Request&, const http::Responder& responder) -> ApiResult<> {
              responder.send(metrics(context));
              return {};
            });
  router.set_guard([&context](const http::ServerRequest& request, const http::Route* route) {
    return context.access.check(request, route);
  });
}

}  // namespace carat::server
