#include "server/ollama/routes.h"

#include <fmt/format.h>

#include <utility>

#include "server/json_fields.h"

namespace carat::server::ollama {

ApiResult<NamedModel> find_named(const ModelDirectory& models, const boost::json::object& body) {
  constexpr std::string_view kLatest = ":latest";
  FieldReader read(body);
  const auto model = read.text("model");
  const std::string_view asked = model ? *model : read.text("name").value_or("");
  if (asked.empty()) read.refuse(ApiErrorCode::kMissingParameter, "model", "is missing");
  if (read.error()) return std::unexpected(*read.error());
  auto found = models.find(asked);
  if (!found && asked.ends_with(kLatest)) found = models.find(asked.substr(0, asked.size() - kLatest.size()));
  if (!found && found.error().code == ApiErrorCode::kModelNotFound)
    found.error().message = fmt::format("model '{}' not found", asked.substr(0, 256));
  return found;
}

void add_routes(http::Router& router, ServerContext& context) {
  add_answer_routes(router, context);
  add_catalogue_routes(router, context);
}

}  // namespace carat::server::ollama
