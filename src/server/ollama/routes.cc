#include "server/ollama/routes.h"

#include <string>
#include <string_view>

#include "server/json_fields.h"
#include "server/keep_alive.h"

namespace carat::server::ollama {

ApiResult<ModelWish> read_wish(const boost::json::object& body) {
  FieldReader read(body);
  std::string_view asked = read.text("model").value_or("");
  if (asked.empty()) asked = read.text("name").value_or("");
  if (asked.empty()) read.refuse(ApiErrorCode::kMissingParameter, "model", "is missing");
  ModelWish wish{.name = std::string(asked)};
  if (const auto* value = read.find("keep_alive"); value != nullptr) {
    if (value->is_number()) {
      wish.keep_alive = keep_alive_seconds(value->to_number<double>());
    } else if (value->is_string()) {
      wish.keep_alive = parse_keep_alive(value->get_string());
    }
    if (!wish.keep_alive) read.expected("keep_alive", "a number of seconds or a duration such as 5m");
  }
  if (read.error()) return std::unexpected(*read.error());
  return wish;
}

void add_routes(http::Router& router, ServerContext& context) {
  add_answer_routes(router, context);
  add_catalogue_routes(router, context);
}

}  // namespace carat::server::ollama
