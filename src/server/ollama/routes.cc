#include "server/ollama/routes.h"

#include <string>
#include <string_view>

#include "server/json_fields.h"

namespace carat::server::ollama {

ApiResult<ModelWish> read_wish(const boost::json::object& body) {
  FieldReader read(body);
  std::string_view asked = read.text("model").value_or("");
  if (asked.empty()) asked = read.text("name").value_or("");
  if (asked.empty()) read.refuse(ApiErrorCode::kMissingParameter, "model", "is missing");
  if (read.error()) return std::unexpected(*read.error());
  return ModelWish{.name = std::string(asked)};
}

void add_routes(http::Router& router, ServerContext& context) {
  add_answer_routes(router, context);
  add_catalogue_routes(router, context);
}

}  // namespace carat::server::ollama
