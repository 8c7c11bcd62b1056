#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <string_view>

#include "http/responder.h"
#include "http/server_request.h"
#include "server/api_error.h"
#include "server/route_helpers.h"
#include "server/served_model.h"
#include "server/server_context.h"

namespace carat::server {

// The rest of a handler, called once the model that its request names is there; the body is an object, empty
// for GET. Errors are answered in the shape of the path's API.
using ModelHandler =
    std::function<ApiResult<>(ServerContext& context, NamedModel named, const boost::json::object& body,
                              const std::shared_ptr<const http::ServerRequest>&, const http::Responder&)>;

// What a body (or, of GET, nothing) wants of the server's models; an Error is the answer.
using ReadWish = std::function<ApiResult<ModelWish>(const boost::json::object& body)>;

// The name in "model"; without one, the default model.
ApiResult<ModelWish> wish_by_model(const boost::json::object& body);

// `error` of finding the model of that name, in the words that clients of the API look for.
ApiError told_as(ErrorShape shape, ApiError error, std::string_view name);

// Has the model loaded that is wished for, and calls `handler`: at once where the model is there, later and
// on another thread where it is not. Nothing waits meanwhile.
void call_with_model(ServerContext& context, const ModelWish& wish, boost::json::object body,
                     const std::shared_ptr<const http::ServerRequest>& request,
                     const http::Responder& responder, ModelHandler handler);

// A handler that reads the body, and does that with what `wish` makes of it.
ApiHandler with_model(ServerContext& context, ModelHandler handler, ReadWish wish = wish_by_model);

}  // namespace carat::server
