#include "http/refusal_response.h"

#include <fmt/format.h>

namespace carat::http {

Response refusal_response(const ServerOptions& options, const Refusal& refusal, std::string_view path) {
  Response response;
  if (options.refusal_body) {
    response = options.refusal_body(refusal.status, refusal.message, path);
  } else {
    response.headers.push_back({"Content-Type", "application/json"});
    response.body =
        fmt::format(R"({{"error":{{"message":"{}","code":{}}}}})", refusal.message, refusal.status);
  }
  response.status = refusal.status;
  if (refusal.status == 415) response.headers.push_back({"Accept-Encoding", "identity"});
  if (refusal.status == 503 && !find_header(response.headers, "retry-after")) {
    response.headers.push_back({"Retry-After", "1"});
  }
  return response;
}

}  // namespace carat::http
