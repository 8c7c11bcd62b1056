#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "server/api_error.h"
#include "server/generation_options.h"
#include "session/kept_answer.h"
#include "store/conversation_store.h"

namespace carat::server::openai {

// A request for a response, its input in the form in which it is kept.
struct ResponseRequest {
  GenerationOptions options;
  std::string instructions;
  std::vector<store::NewMessage> input;
  session::Blobs blobs;  // of the input's pictures
  std::optional<Uuid> previous;
  std::optional<bool> store;      // none: as the server likes
  boost::json::object echo = {};  // what answers repeat of the request
};

// What the request leaves out, and what its answers do not say.
struct ResponseDefaults {
  prompt::SamplingParams sampling;
  bool pan_and_scan = false;  // for pictures whose "detail" is "auto"
};

// The request of a JSON body. Errors name the field; kNotFound for a previous_response_id that no response
// can have.
ApiResult<ResponseRequest> parse_response_request(const boost::json::object& body,
                                                  const ResponseDefaults& defaults);

// "resp_" and 32 digits.
std::string response_id(const Uuid& id);
std::optional<Uuid> parse_response_id(std::string_view text);

}  // namespace carat::server::openai
