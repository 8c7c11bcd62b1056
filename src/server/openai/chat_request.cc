#include "server/openai/chat_request.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <utility>

#include "server/answer_constraint.h"
#include "server/openai/message_parts.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using prompt::Role;

// Calls of an earlier answer, in the form that Gemma 3's documentation shows models: one JSON object each.
std::string tool_calls_text(FieldReader& message) {
  std::string text;
  const json::array* calls = message.array("tool_calls");
  if (calls == nullptr) return text;
  for (std::size_t i = 0; i < calls->size() && !message.error(); ++i) {
    const json::object* call = (*calls)[i].if_object();
    if (call == nullptr) {
      message.expected("tool_calls", "an array of objects");
      break;
    }
    FieldReader fields(message, *call, fmt::format("{}[{}]", message.path("tool_calls"), i));
    const json::object* function = fields.object("function");
    if (function == nullptr) {
      fields.refuse(ApiErrorCode::kMissingParameter, "function", "is missing");
      break;
    }
    FieldReader parts(fields, *function, fields.path("function"));
    const std::string name = json::serialize(json::value(parts.text("name").value_or("")));
    const std::string_view arguments = parts.text("arguments").value_or("{}");
    text += fmt::format("{}{{\"name\": {}, \"parameters\": {}}}", text.empty() ? "" : "\n", name, arguments);
  }
  return text;
}

void read_assistant(FieldReader& read, ChatBuilder& chat) {
  ChatMessage message{.role = Role::kAssistant};
  read_content(read, /*allows_images=*/false, message.text, message.images);
  append_paragraph(message.text, tool_calls_text(read));
  chat.add(std::move(message));
}

void read_message(FieldReader& read, ChatBuilder& chat) {
  const std::string_view role = read.text("role").value_or("");
  if (role == "assistant") return read_assistant(read, chat);
  const bool is_user = role == "user";
  const bool is_system = role == "system" || role == "developer";
  const bool is_tool = role == "tool" || role == "function";
  if (!is_user && !is_system && !is_tool)
    return read.refuse(ApiErrorCode::kInvalidValue, "role",
                       "must be system, developer, user, assistant or tool");
  if (read.find("content") == nullptr)
    return read.refuse(ApiErrorCode::kMissingParameter, "content", "is missing");
  ChatMessage message;
  read_content(read, is_user, message.text, message.images);
  if (is_system) return chat.add_system(message.text);
  if (is_tool) message.text = fmt::format("```tool_output\n{}\n```", message.text);
  chat.add(std::move(message));
}

void read_messages(FieldReader& read, ChatRequest& request) {
  const json::array* messages = read.array("messages");
  if (messages == nullptr) return read.refuse(ApiErrorCode::kMissingParameter, "messages", "is missing");
  if (messages->empty())
    return read.refuse(ApiErrorCode::kInvalidValue, "messages", "must hold one message or more");
  ChatBuilder chat;
  for (std::size_t i = 0; i < messages->size() && !read.error(); ++i) {
    const json::object* message = (*messages)[i].if_object();
    if (message == nullptr) return read.expected("messages", "an array of objects");
    FieldReader fields(read, *message, fmt::format("messages[{}]", i));
    read_message(fields, chat);
  }
  request.turns = std::move(chat).finish();
  if (image_count(request.turns) > kMostImages)
    read.refuse(ApiErrorCode::kInvalidValue, "messages",
                fmt::format("may hold {} images at most", kMostImages));
}

// logprobs says whether, top_logprobs how many alternatives.
void read_logprobs(FieldReader& read, prompt::SamplingParams& sampling) {
  const auto count = read.integer("top_logprobs", 0, prompt::SamplingParams::kMaxLogprobs);
  if (read.flag("logprobs").value_or(false)) {
    sampling.logprobs = static_cast<std::int32_t>(count.value_or(0));
  } else if (count.value_or(0) > 0) {
    read.refuse(ApiErrorCode::kInvalidValue, "top_logprobs", "needs logprobs to be true");
  }
}

}  // namespace

ApiResult<ChatRequest> parse_chat_request(const json::object& body, const prompt::SamplingParams& defaults) {
  FieldReader read(body);
  ChatRequest request;
  request.options.sampling = defaults;
  read.text("model");
  read_messages(read, request);
  read_generation_options(read, request.options);
  read_answer_constraint(read, request.options);
  read_logprobs(read, request.options.sampling);
  refuse_unsupported_fields(read);
  if (read.error()) return std::unexpected(*read.error());
  return request;
}

ApiResult<ChatRequest> parse_chat_messages(const json::object& body) {
  FieldReader read(body);
  ChatRequest request;
  read_messages(read, request);
  refuse_unsupported_fields(read);
  if (read.error()) return std::unexpected(*read.error());
  return request;
}

}  // namespace carat::server::openai
