#pragma once

#include <boost/json/object.hpp>

#include "prompt/sampling_params.h"
#include "server/api_error.h"
#include "server/chat_messages.h"
#include "server/generation_options.h"

namespace carat::server::anthropic {

// A request to /v1/messages.
struct Request {
  GenerationOptions options;
  ChatTurns turns;
};

// The request of a JSON body. `defaults`: what it leaves out. Errors name the field.
ApiResult<Request> parse_request(const boost::json::object& body, const prompt::SamplingParams& defaults);

// "system" and "messages" alone, as count_tokens has them.
ApiResult<ChatTurns> parse_turns(const boost::json::object& body);

}  // namespace carat::server::anthropic
