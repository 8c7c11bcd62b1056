#include "server/openai/response_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/sha256.h"
#include "server/chat_messages.h"
#include "server/openai/message_parts.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using store::Role;

class InputReader {
 public:
  InputReader(bool pan_and_scan, ResponseRequest& request) : pan_and_scan_(pan_and_scan), request_(request) {}

  void read_item(FieldReader& item) {
    const std::string_view type = item.text("type").value_or("message");
    if (type == "message") return read_message(item);
    if (type == "function_call") return read_call(item);
    if (type == "function_call_output") return read_call_output(item);
    if (type != "reasoning")
      item.refuse(ApiErrorCode::kUnsupportedContent, "type",
                  "must be message, function_call or function_call_output");
  }

 private:
  void read_message(FieldReader& item) {
    const auto role = find_role(item.text("role").value_or(""));
    if (!role)
      return item.refuse(ApiErrorCode::kInvalidValue, "role", "must be system, developer, user or assistant");
    store::NewMessage message{.role = *role};
    const json::value* content = item.find("content");
    if (content == nullptr) return item.refuse(ApiErrorCode::kMissingParameter, "content", "is missing");
    if (const json::string* text = content->if_string()) {
      message.parts.emplace_back(store::TextPart{std::string(*text)});
    } else {
      read_parts(item, message);
    }
    request_.input.push_back(std::move(message));
  }

  void read_parts(FieldReader& item, store::NewMessage& message) {
    const json::array* parts = item.array("content");
    if (parts == nullptr) return;
    for (std::size_t i = 0; i < parts->size() && !item.error(); ++i) {
      const json::object* part = (*parts)[i].if_object();
      if (part == nullptr) return item.expected("content", "an array of objects");
      FieldReader fields(item, *part, fmt::format("{}[{}]", item.path("content"), i));
      read_part(fields, message);
    }
  }

  void read_part(FieldReader& part, store::NewMessage& message) {
    const std::string_view type = part.text("type").value_or("");
    if (type == "input_image" && message.role == Role::kUser) return read_image(part, message);
    if (type == "input_text" || type == "output_text" || type == "text" || type == "refusal") {
      const std::string_view field = type == "refusal" ? "refusal" : "text";
      const auto text = part.text(field);
      if (!text) return part.refuse(ApiErrorCode::kMissingParameter, field, "is missing");
      message.parts.emplace_back(store::TextPart{std::string(*text)});
      return;
    }
    part.refuse(ApiErrorCode::kUnsupportedContent, "type",
                "must be input_text, output_text or, in messages of the user, input_image");
  }

  void read_image(FieldReader& part, store::NewMessage& message) {
    const auto url = part.text("image_url");
    if (!url) return part.refuse(ApiErrorCode::kMissingParameter, "image_url", "is missing: a data: URL");
    if (++images_ > kMostImages)
      return part.refuse(ApiErrorCode::kInvalidValue, "type",
                         fmt::format("is one input_image more than the {} that are allowed", kMostImages));
    ImageSource image;
    read_data_url(part, "image_url", *url, image);
    image.detail = parse_detail(part.text("detail").value_or("auto"));
    const Sha256Digest digest = sha256(image.file);
    message.parts.emplace_back(store::ImagePart{.blob = digest,
                                                .media_type = "application/octet-stream",
                                                .pan_and_scan = image.scans(pan_and_scan_)});
    request_.blobs.emplace(digest, std::move(image.file));
  }

  void read_call(FieldReader& item) {
    store::ToolCallPart call;
    call.call_id = item.text("call_id").value_or("");
    call.arguments = item.text("arguments").value_or("{}");
    const auto name = item.text("name");
    if (!name) return item.refuse(ApiErrorCode::kMissingParameter, "name", "is missing");
    call.name = *name;
    request_.input.push_back({.role = Role::kAssistant, .parts = {std::move(call)}});
  }

  void read_call_output(FieldReader& item) {
    store::ToolResultPart result;
    result.call_id = item.text("call_id").value_or("");
    const auto output = item.text("output");
    if (!output) return item.refuse(ApiErrorCode::kMissingParameter, "output", "is missing");
    result.text = *output;
    request_.input.push_back({.role = Role::kTool, .parts = {std::move(result)}});
  }

  static std::optional<Role> find_role(std::string_view name) {
    if (name == "user") return Role::kUser;
    if (name == "assistant") return Role::kAssistant;
    if (name == "system" || name == "developer") return Role::kSystem;
    return std::nullopt;
  }

  bool pan_and_scan_;
  ResponseRequest& request_;
  std::size_t images_ = 0;
};

}  // namespace

void read_response_input(FieldReader& read, bool pan_and_scan, ResponseRequest& request) {
  const json::value* input = read.find("input");
  if (input == nullptr) return read.refuse(ApiErrorCode::kMissingParameter, "input", "is missing");
  if (const json::string* text = input->if_string()) {
    request.input.push_back({.role = Role::kUser, .parts = {store::TextPart{std::string(*text)}}});
    return;
  }
  const json::array* items = input->if_array();
  if (items == nullptr) return read.expected("input", "a string or an array of items");
  if (items->size() > kMostItems)
    return read.refuse(ApiErrorCode::kInvalidValue, "input",
                       fmt::format("may hold {} items at most", kMostItems));
  InputReader reader(pan_and_scan, request);
  for (std::size_t i = 0; i < items->size() && !read.error(); ++i) {
    const json::object* item = (*items)[i].if_object();
    if (item == nullptr) return read.expected("input", "an array of objects");
    FieldReader fields(read, *item, fmt::format("input[{}]", i));
    reader.read_item(fields);
  }
  if (read.error()) return;
  const auto asks = [](const store::NewMessage& message) { return message.role != Role::kSystem; };
  const auto last = std::find_if(request.input.rbegin(), request.input.rend(), asks);
  if (last == request.input.rend() || last->role == Role::kAssistant)
    read.refuse(ApiErrorCode::kInvalidValue, "input",
                "must end with a message of the user or a tool's output");
}

}  // namespace carat::server::openai
