#include "server/anthropic/request.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "server/base64.h"
#include "server/json_fields.h"

namespace carat::server::anthropic {
namespace {

namespace json = boost::json;
using prompt::Role;

constexpr std::string_view kNotHere = "is not supported by this server";

// Calls `read_block` for each object of the array; errors go to `read`, by `name`.
template <class ReadBlock>
void for_each_block(FieldReader& read, std::string_view name, const json::array& blocks,
                    const ReadBlock& read_block) {
  for (std::size_t i = 0; i < blocks.size() && !read.error(); ++i) {
    const json::object* block = blocks[i].if_object();
    if (block == nullptr) return read.expected(name, "an array of objects");
    FieldReader fields(read, *block, fmt::format("{}[{}]", read.path(name), i));
    read_block(fields);
  }
}

void read_text(FieldReader& block, std::string& text) {
  const auto piece = block.text("text");
  if (!piece) return block.refuse(ApiErrorCode::kMissingParameter, "text", "is missing");
  append_line(text, *piece);
}

// {"source": {"type": "base64", "media_type", "data"}}
void read_image(FieldReader& block, ChatMessage& message) {
  const json::object* object = block.object("source");
  if (object == nullptr) return block.refuse(ApiErrorCode::kMissingParameter, "source", "is missing");
  FieldReader source(block, *object, block.path("source"));
  if (source.text("type").value_or("") != "base64")
    return source.refuse(ApiErrorCode::kImageUrlNotAllowed, "type",
                         "must be base64: this server fetches no addresses");
  auto file = decode_base64(source.text("data").value_or(""));
  if (!file || file->empty())
    return source.refuse(ApiErrorCode::kInvalidImage, "data", "is not valid Base64");
  message.images.push_back({.file = std::move(*file)});
}

// A string, or blocks of text.
void read_plain(FieldReader& read, std::string_view name, std::string& text) {
  const json::value* value = read.find(name);
  if (value == nullptr) return;
  if (const json::string* string = value->if_string()) {
    append_line(text, *string);
  } else if (const json::array* blocks = value->if_array()) {
    for_each_block(read, name, *blocks, [&](FieldReader& block) {
      if (block.text("type").value_or("") != "text")
        return block.refuse(ApiErrorCode::kUnsupportedContent, "type", "must be text");
      read_text(block, text);
    });
  } else {
    read.expected(name, "a string or an array of blocks");
  }
}

// A call of an earlier answer, as the tool prompt has the model write it.
void read_tool_use(FieldReader& block, std::string& text) {
  const json::value name(block.text("name").value_or(""));
  const json::object* input = block.object("input");
  append_line(text, fmt::format(R"({{"name": {}, "parameters": {}}})", json::serialize(name),
                                input == nullptr ? "{}" : json::serialize(*input)));
}

void read_block(FieldReader& block, ChatMessage& message) {
  const std::string_view type = block.text("type").value_or("");
  const bool is_user = message.role == Role::kUser;
  if (type == "text") return read_text(block, message.text);
  if (type == "image" && is_user) return read_image(block, message);
  if (type == "tool_use" && !is_user) return read_tool_use(block, message.text);
  if (type == "tool_result" && is_user) {
    std::string result;
    read_plain(block, "content", result);
    return append_line(message.text, fmt::format("```tool_output\n{}\n```", result));
  }
  block.refuse(ApiErrorCode::kUnsupportedContent, "type",
               is_user ? "must be text, image or tool_result" : "must be text or tool_use");
}

void read_message(FieldReader& read, ChatBuilder& chat) {
  const std::string_view role = read.text("role").value_or("");
  if (role != "user" && role != "assistant")
    return read.refuse(ApiErrorCode::kInvalidValue, "role", "must be user or assistant");
  ChatMessage message{.role = role == "user" ? Role::kUser : Role::kAssistant};
  const json::value* content = read.find("content");
  if (content == nullptr) return read.refuse(ApiErrorCode::kMissingParameter, "content", "is missing");
  if (const json::string* text = content->if_string()) {
    message.text = std::string_view(*text);
  } else if (const json::array* blocks = content->if_array()) {
    for_each_block(read, "content", *blocks, [&](FieldReader& block) { read_block(block, message); });
  } else {
    return read.expected("content", "a string or an array of blocks");
  }
  chat.add(std::move(message));
}

void read_turns(FieldReader& read, ChatTurns& turns) {
  const json::array* messages = read.array("messages");
  if (messages == nullptr) return read.refuse(ApiErrorCode::kMissingParameter, "messages", "is missing");
  if (messages->empty())
    return read.refuse(ApiErrorCode::kInvalidValue, "messages", "must hold one message or more");
  ChatBuilder chat;
  std::string system;
  read_plain(read, "system", system);
  if (!system.empty()) chat.add_system(system);
  for_each_block(read, "messages", *messages, [&](FieldReader& message) { read_message(message, chat); });
  turns = std::move(chat).finish();
  if (image_count(turns) > kMostImages)
    read.refuse(ApiErrorCode::kInvalidValue, "messages",
                fmt::format("may hold {} images at most", kMostImages));
}

void read_stop_sequences(FieldReader& read, prompt::SamplingParams& sampling) {
  const json::array* list = read.array("stop_sequences");
  if (list == nullptr) return;
  sampling.stop.clear();
  for (const json::value& item : *list) {
    const json::string* text = item.if_string();
    if (text == nullptr) return read.expected("stop_sequences", "an array of strings");
    if (!text->empty()) sampling.stop.emplace_back(*text);
  }
}

// Fields whose neglect would change the answer.
void refuse_unsupported(FieldReader& read) {
  if (const json::array* tools = read.array("tools"); tools != nullptr && !tools->empty())
    read.refuse(ApiErrorCode::kUnsupportedParameter, "tools", kNotHere);
  if (read.find("output_format") != nullptr)
    read.refuse(ApiErrorCode::kUnsupportedParameter, "output_format", kNotHere);
  if (const json::object* output = read.object("output_config")) {
    FieldReader fields(read, *output, "output_config");
    if (fields.find("format") != nullptr)
      fields.refuse(ApiErrorCode::kUnsupportedParameter, "format", kNotHere);
  }
  if (const json::object* thinking = read.object("thinking")) {
    FieldReader fields(read, *thinking, "thinking");
    if (fields.text("type").value_or("") != "disabled")
      fields.refuse(ApiErrorCode::kUnsupportedParameter, "type",
                    "must be disabled: Gemma 3 does not think aloud");
  }
}

// The names that Anthropic's requests share with OpenAI's, and no others.
void read_sampling(FieldReader& read, GenerationOptions& options) {
  const auto count = read.integer("max_tokens", 1, std::numeric_limits<std::uint32_t>::max());
  if (count) {
    options.sampling.max_tokens = static_cast<std::uint32_t>(*count);
  } else {
    read.refuse(ApiErrorCode::kMissingParameter, "max_tokens", "is missing");
  }
  if (const auto temperature = read.number("temperature"))
    options.sampling.temperature = static_cast<float>(*temperature);
  if (const auto top_p = read.number("top_p")) options.sampling.top_p = static_cast<float>(*top_p);
  if (const auto top_k = read.integer("top_k", 0, std::numeric_limits<std::int32_t>::max()))
    options.sampling.top_k = static_cast<std::int32_t>(*top_k);
  options.stream = read.flag("stream").value_or(false);
}

}  // namespace

ApiResult<Request> parse_request(const json::object& body, const prompt::SamplingParams& defaults) {
  FieldReader read(body);
  Request request;
  request.options.sampling = defaults;
  read_turns(read, request.turns);
  read_sampling(read, request.options);
  read_stop_sequences(read, request.options.sampling);
  refuse_unsupported(read);
  if (read.error()) return std::unexpected(*read.error());
  return request;
}

ApiResult<ChatTurns> parse_turns(const json::object& body) {
  FieldReader read(body);
  ChatTurns turns;
  read_turns(read, turns);
  refuse_unsupported(read);
  if (read.error()) return std::unexpected(*read.error());
  return turns;
}

}  // namespace carat::server::anthropic
