#include "server/route_helpers.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <random>
#include <utility>

#include "http/json_body.h"

namespace carat::server {

void add_route(http::Router& router, std::string_view method, std::string_view pattern, RouteAccess access,
               ApiHandler handler, http::RouteOptions options) {
  options.access = std::to_underlying(access);
  auto checked = [handler = std::move(handler)](const std::shared_ptr<const http::ServerRequest>& request,
                                                const http::Responder& responder) {
    const ApiResult<> done = handler(request, responder);
    if (!done) responder.send(error_response(done.error(), shape_of(request->path)));
  };
  router.add(method, pattern, std::move(checked), options);
}

void add_both(http::Router& router, std::string_view method, std::string_view pattern, RouteAccess access,
              const ApiHandler& handler, const http::RouteOptions& options) {
  add_route(router, method, fmt::format("/v1{}", pattern), access, handler, options);
  add_route(router, method, pattern, access, handler, options);
}

ApiResult<boost::json::object> parse_body(const http::ServerRequest& request) {
  auto value = http::parse_json_body(request.body);
  if (!value)
    return std::unexpected(ApiError{.code = ApiErrorCode::kInvalidJson, .message = value.error().message});
  if (!value->is_object()) {
    return std::unexpected(
        ApiError{.code = ApiErrorCode::kInvalidType, .message = "the request's body must be a JSON object"});
  }
  return std::move(value->get_object());
}

http::Response json_response(const boost::json::object& body, unsigned status) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = boost::json::serialize(body)};
}

std::string random_id(std::string_view prefix) {
  std::random_device device;
  std::string id(prefix);
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", device());
  return id;
}

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) >> 11;
}

}  // namespace carat::server
