#include "server/ollama/routes.h"

#include <fmt/format.h>

#include <cstddef>
#include <string_view>
#include <utility>

#include "base/utf8.h"
#include "server/json_fields.h"

namespace carat::server::ollama {

ApiResult<NamedModel> find_named(const ModelDirectory& models, const boost::json::object& body) {
  constexpr std::string_view kLatest = ":latest";
  constexpr std::size_t kMostOfName = 256;  // bytes; the cut may go through a character
  FieldReader read(body);
  std::string_view asked = read.text("model").value_or("");
  if (asked.empty()) asked = read.text("name").value_or("");
  if (asked.empty()) read.refuse(ApiErrorCode::kMissingParameter, "model", "is missing");
  if (read.error()) return std::unexpected(*read.error());
  auto found = models.find(asked);
  if (!found && asked.ends_with(kLatest)) found = models.find(asked.substr(0, asked.size() - kLatest.size()));
  if (!found && found.error().code == ApiErrorCode::kModelNotFound)
    found.error().message =
        fmt::format("model '{}' not found", replace_invalid_utf8(asked.substr(0, kMostOfName)));
  return found;
}

void add_routes(http::Router& router, ServerContext& context) {
  add_answer_routes(router, context);
  add_catalogue_routes(router, context);
}

}  // namespace carat::server::ollama
