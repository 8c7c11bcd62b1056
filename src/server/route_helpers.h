#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/router.h"
#include "server/api_error.h"
#include "server/route_access.h"

namespace carat::server {

// A handler that may find something wrong with its request before it has answered.
using ApiHandler =
    std::function<ApiResult<>(const std::shared_ptr<const http::ServerRequest>&, const http::Responder&)>;

// Errors are answered in the shape of the API that the path belongs to.
void add_route(http::Router& router, std::string_view method, std::string_view pattern, RouteAccess access,
               ApiHandler handler, http::RouteOptions options = {});

// Adds it at "/v1" + pattern and at the pattern itself.
void add_both(http::Router& router, std::string_view method, std::string_view pattern, RouteAccess access,
              const ApiHandler& handler, const http::RouteOptions& options = {});

// The body as an object.
ApiResult<boost::json::object> parse_body(const http::ServerRequest& request);

http::Response json_response(const boost::json::object& body, unsigned status = 200);

// 128 random bits in hexadecimal, after `prefix`.
std::string random_id(std::string_view prefix);

// A fresh seed below 2^53, which every JSON reader can hold.
std::uint64_t random_seed();

}  // namespace carat::server
