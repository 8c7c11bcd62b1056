#include "server/ollama/request.h"

#include <fmt/format.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "server/answer_constraint.h"
#include "server/base64.h"
#include "server/json_fields.h"

namespace carat::server::ollama {
namespace {

namespace json = boost::json;
using prompt::Role;

constexpr std::string_view kNotHere = "is not supported by this server";

// "num_predict" -1 and -2: to the end of the context.
void read_num_predict(FieldReader& read, prompt::SamplingParams& sampling) {
  const auto count = read.integer("num_predict", -2, std::numeric_limits<std::uint32_t>::max());
  if (!count) return;
  sampling.max_tokens.reset();
  if (*count >= 0) sampling.max_tokens = static_cast<std::uint32_t>(*count);
}

void refuse_unless(FieldReader& read, std::string_view name, double neutral) {
  const auto number = read.number(name);
  if (number && *number != neutral) read.refuse(ApiErrorCode::kUnsupportedParameter, name, kNotHere);
}

// What concerns the machine (num_gpu, num_thread, ...) and num_ctx is this server's business: a prompt that
// is too long for its context is refused, never cut, so that a smaller num_ctx cannot matter.
void read_sampling(FieldReader& read, const json::object& fields, GenerationOptions& options) {
  FieldReader own(read, fields, "options");
  const bool stream = options.stream;
  read_generation_options(own, options);
  options.stream = stream;  // names that Ollama's options do not have
  options.choices = 1;
  read_num_predict(own, options.sampling);
  refuse_unless(own, "mirostat", 0);
  refuse_unless(own, "typical_p", 1);
  refuse_unless(own, "tfs_z", 1);
}

// Fields whose neglect would change the answer.
void refuse_unsupported(FieldReader& read) {
  const json::array* tools = read.find("tools") == nullptr ? nullptr : read.array("tools");
  if (tools != nullptr && !tools->empty())
    read.refuse(ApiErrorCode::kUnsupportedParameter, "tools", kNotHere);
  // true, or a level of effort.
  const json::value* think = read.find("think");
  if (think != nullptr && (think->is_string() || (think->is_bool() && think->get_bool())))
    read.refuse(ApiErrorCode::kUnsupportedParameter, "think", "must be false: Gemma 3 does not think aloud");
  if (read.flag("logprobs").value_or(false))
    read.refuse(ApiErrorCode::kUnsupportedParameter, "logprobs", kNotHere);
}

void read_images(FieldReader& read, std::vector<ImageSource>& images) {
  const json::array* list = read.array("images");
  if (list == nullptr) return;
  if (list->size() > kMostImages)
    return read.refuse(ApiErrorCode::kInvalidValue, "images",
                       fmt::format("may hold {} images at most", kMostImages));
  for (const json::value& item : *list) {
    const json::string* text = item.if_string();
    if (text == nullptr) return read.expected("images", "an array of Base64 strings");
    auto file = decode_base64(*text);
    if (!file || file->empty())
      return read.refuse(ApiErrorCode::kInvalidImage, "images", "must hold valid Base64");
    images.push_back({.file = std::move(*file)});
  }
}

void read_message(FieldReader& read, ChatBuilder& chat) {
  const std::string_view role = read.text("role").value_or("");
  const std::string_view content = read.text("content").value_or("");
  if (role == "system") return chat.add_system(content);
  if (role == "tool")
    return chat.add({.role = Role::kUser, .text = fmt::format("```tool_output\n{}\n```", content)});
  if (role != "user" && role != "assistant")
    return read.refuse(ApiErrorCode::kInvalidValue, "role", "must be system, user, assistant or tool");
  ChatMessage message{.role = role == "user" ? Role::kUser : Role::kAssistant, .text = std::string(content)};
  read_images(read, message.images);
  if (message.role == Role::kAssistant && !message.images.empty())
    return read.refuse(ApiErrorCode::kUnsupportedContent, "images", "may be in messages of the user only");
  chat.add(std::move(message));
}

// What both kinds of request have.
void read_common(FieldReader& read, Request& request) {
  request.options.stream = read.flag("stream").value_or(true);
  if (const json::object* options = read.object("options")) read_sampling(read, *options, request.options);
  read_format(read, request.options);
  refuse_unsupported(read);
}

}  // namespace

ApiResult<Request> parse_chat(const json::object& body, const prompt::SamplingParams& defaults) {
  FieldReader read(body);
  Request request;
  request.options.sampling = defaults;
  read_common(read, request);
  const json::array* messages = read.array("messages");
  if (messages != nullptr && !messages->empty()) {
    ChatBuilder chat;
    for (std::size_t i = 0; i < messages->size() && !read.error(); ++i) {
      const json::object* message = (*messages)[i].if_object();
      if (message == nullptr) {
        read.expected("messages", "an array of objects");
        break;
      }
      FieldReader fields(read, *message, fmt::format("messages[{}]", i));
      read_message(fields, chat);
    }
    request.turns = std::move(chat).finish();
    if (image_count(request.turns) > kMostImages)
      read.refuse(ApiErrorCode::kInvalidValue, "messages",
                  fmt::format("may hold {} images at most", kMostImages));
  }
  if (read.error()) return std::unexpected(*read.error());
  return request;
}

ApiResult<Request> parse_generate(const json::object& body, const prompt::SamplingParams& defaults) {
  FieldReader read(body);
  Request request;
  request.options.sampling = defaults;
  read_common(read, request);
  for (const std::string_view name : std::to_array<std::string_view>({"suffix", "template"})) {
    if (!read.text(name).value_or("").empty())
      read.refuse(ApiErrorCode::kUnsupportedParameter, name, kNotHere);
  }
  if (const json::array* context = read.array("context"); context != nullptr && !context->empty())
    read.refuse(ApiErrorCode::kUnsupportedParameter, "context",
                "is not supported by this server: send the messages to /api/chat");
  request.is_raw = read.flag("raw").value_or(false);
  const std::string_view prompt = read.text("prompt").value_or("");
  ChatMessage message{.role = Role::kUser, .text = std::string(prompt)};
  read_images(read, message.images);
  const auto system = read.text("system");
  if (request.is_raw) {
    if (!message.images.empty())
      read.refuse(ApiErrorCode::kUnsupportedContent, "images", "cannot be part of a raw prompt");
    request.prompt = prompt;
  } else if (!prompt.empty() || !message.images.empty()) {
    ChatBuilder chat;
    if (system && !system->empty()) chat.add_system(*system);
    chat.add(std::move(message));
    request.turns = std::move(chat).finish();
  }
  if (read.error()) return std::unexpected(*read.error());
  return request;
}

}  // namespace carat::server::ollama
