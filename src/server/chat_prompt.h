#pragma once

#include <stop_token>

#include "prompt/generation_request.h"
#include "server/api_error.h"
#include "server/chat_messages.h"
#include "server/served_model.h"

namespace carat::server {

// The prompt of a chat in the model's style, its pictures decoded: that may take seconds. kInvalidImage,
// naming the message, for a file that is no picture; kUnsupportedContent where the model sees none.
ApiResult<prompt::GenerationRequest> render_chat(const ServedModel& model, const ChatTurns& turns,
                                                 const std::stop_token& stop);

}  // namespace carat::server
