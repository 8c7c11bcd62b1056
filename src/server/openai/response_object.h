#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/api_error.h"
#include "store/conversation_store.h"

namespace carat::server::openai {

// What is the same in a response from its beginning to its end.
struct ResponseHead {
  std::string digits;        // of its id, and of that of its message
  std::int64_t created = 0;  // seconds since 1970
  boost::json::object body;  // model, store, and what is repeated of the request

  std::string id() const { return "resp_" + digits; }
  std::string item_id() const { return "msg_" + digits; }
};

struct ResponseUsage {
  std::int64_t input_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t output_tokens = 0;
};

// How far a response has come.
struct ResponseState {
  std::string_view status = "in_progress";  // or completed, incomplete, failed, cancelled
  std::string_view incomplete_reason = {};  // of an incomplete one
  std::optional<std::string> text = {};     // none: the answer has not begun
  std::optional<ResponseUsage> usage = {};
  std::optional<ApiError> error = {};
};

// The status of an answer as it is kept, or as the engine says that it ended ("stop", "length", ...).
ResponseState state_of(store::Status status, std::string_view finish_reason);

// A message of the answer, and the only part of it.
boost::json::object output_item(const ResponseHead& head, std::string_view status, const std::string* text);
boost::json::object output_part(std::string_view text);

boost::json::object response_object(const ResponseHead& head, const ResponseState& state);

}  // namespace carat::server::openai
