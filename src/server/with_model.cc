#include "server/with_model.h"

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "server/json_fields.h"

namespace carat::server {

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

ApiHandler with_model(ServerContext& context, ModelHandler handler, ReadWish wish) {
  return [&context, handler = std::move(handler), wish = std::move(wish)](
             const std::shared_ptr<const http::ServerRequest>& request,
             const http::Responder& responder) -> ApiResult<> {
    boost::json::object body;
    if (request->method == "POST") CARAT_TRY(body, parse_body(*request));
    CARAT_TRY(const ModelWish wanted, wish(body));
    auto named = context.models.find(wanted.name);
    if (!named)
      return std::unexpected(told_as(shape_of(request->path), std::move(named.error()), wanted.name));
    return handler(context, std::move(*named), body, request, responder);
  };
}

}  // namespace carat::server
