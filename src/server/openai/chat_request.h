#pragma once

#include <boost/json/object.hpp>

#include "server/chat_messages.h"
#include "server/generation_options.h"

namespace carat::server::openai {

struct ChatRequest {
  GenerationOptions options;
  ChatTurns turns;
};

// The request of a JSON body. `defaults`: what it leaves out. Errors name the field.
ApiResult<ChatRequest> parse_chat_request(const boost::json::object& body,
                                          const prompt::SamplingParams& defaults);

// What `body` has as "messages" alone, in the same order.
ApiResult<ChatRequest> parse_chat_messages(const boost::json::object& body);

}  // namespace carat::server::openai
