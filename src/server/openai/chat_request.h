#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "prompt/message.h"
#include "server/generation_options.h"

namespace carat::server::openai {

inline constexpr std::size_t kMostImages = 64;  // of one request

// A picture as it came, not yet decoded.
struct ImageSource {
  enum class Detail : std::uint8_t { kAuto, kLow, kHigh };
  std::vector<std::byte> file;
  Detail detail = Detail::kAuto;
};

struct ChatMessage {
  prompt::Role role = prompt::Role::kUser;
  std::string text = {};
  std::vector<ImageSource> images = {};  // shown before the text
};

// A chat-completion request, with its messages in the order that prompts need: an optional system message,
// then user and assistant in turn.
struct ChatRequest {
  GenerationOptions options;
  std::vector<ChatMessage> messages;
  bool continues_answer = false;  // the last message is the beginning of the answer
};

// The request of a JSON body. `defaults`: what it leaves out. Errors name the field.
ApiResult<ChatRequest> parse_chat_request(const boost::json::object& body,
                                          const prompt::SamplingParams& defaults);

// What `body` has as "messages" alone, in the same order.
ApiResult<ChatRequest> parse_chat_messages(const boost::json::object& body);

}  // namespace carat::server::openai
