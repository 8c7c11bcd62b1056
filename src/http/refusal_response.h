#pragma once

#include <string_view>

#include "http/refusal.h"
#include "http/server_options.h"

namespace carat::http {

// The answer to a request that is refused: by options.refusal_body, with the headers that a status needs
// (Accept-Encoding for 415, Retry-After for 503).
Response refusal_response(const ServerOptions& options, const Refusal& refusal, std::string_view path);

}  // namespace carat::http
