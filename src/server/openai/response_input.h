#pragma once

#include <cstddef>

#include "server/json_fields.h"
#include "server/openai/response_request.h"

namespace carat::server::openai {

inline constexpr std::size_t kMostItems = 4096;  // of a request

// Reads "input": a text of the user's, or a list of items (message, function_call, function_call_output;
// reasoning is passed over). Errors go to `read`.
void read_response_input(FieldReader& read, bool pan_and_scan, ResponseRequest& request);

}  // namespace carat::server::openai
