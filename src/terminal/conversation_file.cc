#include "terminal/conversation_file.h"

#include <boost/json.hpp>

#include <limits>
#include <string_view>

#include "base/utf8.h"

namespace carat::terminal {
namespace {

namespace json = boost::json;
using prompt::Message;
using prompt::Role;

constexpr std::string_view kFormat = "carat-conversation";
constexpr std::int64_t kVersion = 1;
constexpr std::size_t kMaxDepth = 8;

// A value for messages: itself where it is short.
std::string shown(const json::value& value) {
  std::string text = json::serialize(value);
  if (text.size() <= 60) return text;
  return fmt::format("{} of {} bytes", std::string(json::to_string(value.kind())), text.size());
}

// Where in which file, for messages: "chat.json: messages[3].text".
struct Place {
  const std::string& file;
  std::string field;

  std::unexpected<Error> expected(std::string_view what, const json::value* found) const {
    return fail(ErrorKind::kFailed, "{}: {}: expected {}, found {}", file, field, what,
                found == nullptr ? "nothing" : shown(*found));
  }
};

Result<std::string> read_text(const json::object& object, std::string_view key, const Place& place) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return place.expected("a string", value);
  return std::string(value->get_string());
}

Result<std::vector<TokenId>> read_ids(const json::object& object, const Place& place) {
  std::vector<TokenId> ids;
  const json::value* value = object.if_contains("ids");
  if (value == nullptr) return ids;
  if (!value->is_array()) return place.expected("a list of token ids", value);
  for (const json::value& item : value->get_array()) {
    const std::int64_t* id = item.if_int64();
    if (id == nullptr || *id < 0 || *id > std::numeric_limits<TokenId>::max()) {
      return place.expected("token ids", &item);
    }
    ids.push_back(static_cast<TokenId>(*id));
  }
  return ids;
}

Result<Message> read_message(const json::value& value, std::size_t index, const std::string& file) {
  const std::string name = fmt::format("messages[{}]", index);
  if (!value.is_object()) return Place{file, name}.expected("an object", &value);
  const json::object& object = value.get_object();
  const bool is_answer = index % 2 == 1;
  const Place role_place{file, name + ".role"};
  CARAT_TRY(const std::string role, read_text(object, "role", role_place));
  if (role != (is_answer ? "assistant" : "user")) {
    return role_place.expected(is_answer ? "\"assistant\"" : "\"user\"", object.if_contains("role"));
  }
  Message message;
  message.role = is_answer ? Role::kAssistant : Role::kUser;
  CARAT_TRY(message.text, read_text(object, "text", Place{file, name + ".text"}));
  if (is_answer) {
    CARAT_TRY(message.generated_ids, read_ids(object, Place{file, name + ".ids"}));
  }
  return message;
}

}  // namespace

std::string to_json(const Conversation& conversation) {
  json::array messages;
  for (const Message& message : conversation.messages) {
    json::object object;
    object["role"] = message.role == Role::kAssistant ? "assistant" : "user";
    object["text"] = replace_invalid_utf8(message.text);
    if (!message.generated_ids.empty()) object["ids"] = json::value_from(message.generated_ids);
    messages.push_back(std::move(object));
  }
  json::object root;
  root["format"] = kFormat;
  root["version"] = kVersion;
  root["system"] = replace_invalid_utf8(conversation.system);
  root["messages"] = std::move(messages);
  return json::serialize(root) + "\n";
}

Result<Conversation> conversation_from_json(const std::string& file, const std::string& text) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  const json::value root = json::parse(text, error, {}, options);
  if (error) return fail(ErrorKind::kFailed, "{}: not a conversation: {}", file, error.message());
  if (!root.is_object()) return Place{file, "document"}.expected("an object", &root);
  const json::object& object = root.get_object();

  const Place format_place{file, "format"};
  CARAT_TRY(const std::string format, read_text(object, "format", format_place));
  if (format != kFormat) return format_place.expected("\"carat-conversation\"", object.if_contains("format"));
  const json::value* version = object.if_contains("version");
  if (version == nullptr || !version->is_int64() || version->get_int64() != kVersion) {
    return Place{file, "version"}.expected(fmt::format("{}", kVersion), version);
  }

  Conversation conversation;
  CARAT_TRY(conversation.system, read_text(object, "system", Place{file, "system"}));
  const json::value* messages = object.if_contains("messages");
  if (messages == nullptr || !messages->is_array())
    return Place{file, "messages"}.expected("a list", messages);
  for (const json::value& value : messages->get_array()) {
    CARAT_TRY(Message message, read_message(value, conversation.messages.size(), file));
    conversation.messages.push_back(std::move(message));
  }
  if (conversation.messages.size() % 2 != 0) {
    return fail(ErrorKind::kFailed, "{}: messages: the last one, of the user, has no answer", file);
  }
  return conversation;
}

}  // namespace carat::terminal
