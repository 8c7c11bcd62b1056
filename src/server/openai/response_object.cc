#include "server/openai/response_object.h"

#include <boost/json/array.hpp>

namespace carat::server::openai {
namespace {

namespace json = boost::json;

json::object usage_object(const ResponseUsage& usage) {
  return {{"input_tokens", usage.input_tokens},
          {"input_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
          {"output_tokens", usage.output_tokens},
          {"output_tokens_details", {{"reasoning_tokens", 0}}},
          {"total_tokens", usage.input_tokens + usage.output_tokens}};
}

json::value error_value(const std::optional<ApiError>& error) {
  if (!error) return nullptr;
  return json::object{{"code", info(error->code).code}, {"message", error->text()}};
}

}  // namespace

ResponseState state_of(store::Status status, std::string_view finish_reason) {
  switch (status) {
    case store::Status::kPending:
    case store::Status::kStreaming: return {};
    case store::Status::kCancelled: return {.status = "cancelled"};
    case store::Status::kFailed: return {.status = "failed", .error = ApiError{}};
    case store::Status::kInterrupted: return {.status = "incomplete", .incomplete_reason = "interrupted"};
    case store::Status::kDone: break;
  }
  if (finish_reason == "length") return {.status = "incomplete", .incomplete_reason = "max_output_tokens"};
  if (finish_reason == "deadline") return {.status = "incomplete", .incomplete_reason = "deadline"};
  return {.status = "completed"};
}

json::object output_part(std::string_view text) {
  return {
      {"type", "output_text"}, {"text", text}, {"annotations", json::array()}, {"logprobs", json::array()}};
}

json::object output_item(const ResponseHead& head, std::string_view status, const std::string* text) {
  json::array content;
  if (text != nullptr) content.push_back(output_part(*text));
  // Items know three statuses.
  const bool is_known = status == "in_progress" || status == "completed";
  return {{"id", head.item_id()},
          {"type", "message"},
          {"status", is_known ? status : "incomplete"},
          {"role", "assistant"},
          {"content", std::move(content)}};
}

json::object response_object(const ResponseHead& head, const ResponseState& state) {
  json::object out = {{"id", head.id()},
                      {"object", "response"},
                      {"created_at", head.created},
                      {"status", state.status},
                      {"background", false},
                      {"error", error_value(state.error)},
                      {"incomplete_details", nullptr}};
  if (!state.incomplete_reason.empty()) out["incomplete_details"] = {{"reason", state.incomplete_reason}};
  for (const json::key_value_pair& entry : head.body) out[entry.key()] = entry.value();
  json::array output;
  if (state.text) output.push_back(output_item(head, state.status, &*state.text));
  out["output"] = std::move(output);
  out["parallel_tool_calls"] = true;
  out["reasoning"] = {{"effort", nullptr}, {"summary", nullptr}};
  out["text"] = {{"format", {{"type", "text"}}}};
  out["tool_choice"] = "auto";
  out["tools"] = json::array();
  out["truncation"] = "disabled";
  out["usage"] = state.usage ? json::value(usage_object(*state.usage)) : json::value();
  out["user"] = nullptr;
  return out;
}

}  // namespace carat::server::openai
