#include "server/with_model.h"

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "server/json_fields.h"

namespace carat::server {
namespace {

void send_error(const http::Responder& responder, const ApiError& error, ErrorShape shape) {
  responder.send(error_response(error, shape));
}

}  // namespace

ApiResult<ModelWish> wish_by_model(const boost::json::object& body) {
  FieldReader read(body);
  ModelWish wish{.name = std::string(read.text("model").value_or(""))};
  if (read.error()) return std::unexpected(*read.error());
  return wish;
}

ApiError told_as(ErrorShape shape, ApiError error, std::string_view name) {
  constexpr std::size_t kMostOfName = 256;  // bytes; the cut may go through a character
  if (shape == ErrorShape::kOllama && error.code == ApiErrorCode::kModelNotFound)
    error.message = fmt::format("model '{}' not found", replace_invalid_utf8(name.substr(0, kMostOfName)));
  return error;
}

void call_with_model(ServerContext& context, const ModelWish& wish, boost::json::object body,
                     const std::shared_ptr<const http::ServerRequest>& request,
                     const http::Responder& responder, ModelHandler handler) {
  context.models.acquire(
      wish, request->stop,
      [&context, handler = std::move(handler), body = std::move(body), request, responder,
       name = wish.name](ApiResult<NamedModel> named) {
        const ErrorShape shape = shape_of(request->path);
        if (!named) return send_error(responder, told_as(shape, std::move(named.error()), name), shape);
        const ApiResult<> done = handler(context, std::move(*named), body, request, responder);
        if (!done) send_error(responder, done.error(), shape);
      });
}

ApiHandler with_model(ServerContext& context, ModelHandler handler, ReadWish wish) {
  return [&context, handler = std::move(handler), wish = std::move(wish)](
             const std::shared_ptr<const http::ServerRequest>& request,
             const http::Responder& responder) -> ApiResult<> {
    CARAT_TRY(boost::json::object body,
              request->method == "POST" ? parse_body(*request) : ApiResult<boost::json::object>());
    CARAT_TRY(const ModelWish wanted, wish(body));
    call_with_model(context, wanted, std::move(body), request, responder, handler);
    return {};
  };
}

}  // namespace carat::server
