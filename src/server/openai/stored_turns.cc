#include "server/openai/stored_turns.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/sha256.h"

namespace carat::server::openai {
namespace {

// Adds a part to a turn.
struct PartReader {
  ChatMessage& message;
  const session::Blobs& blobs;

  void operator()(const store::TextPart& part) const { append_line(message.text, part.text); }
  void operator()(const store::ImagePart& part) const {
    const auto file = blobs.find(part.blob);
    CARAT_CHECK(file != blobs.end());
    message.images.push_back(
        {.file = file->second,
         .detail = part.pan_and_scan ? ImageSource::Detail::kHigh : ImageSource::Detail::kLow});
  }
  void operator()(const store::BlobPart&) const {}  // files are not shown to models
  // In the form that Gemma 3's documentation shows models: one JSON object each.
  void operator()(const store::ToolCallPart& part) const {
    append_paragraph(message.text,
                     fmt::format("{{\"name\": {}, \"parameters\": {}}}",
                                 boost::json::serialize(boost::json::value(part.name)), part.arguments));
  }
  void operator()(const store::ToolResultPart& part) const {
    append_line(message.text, fmt::format("```tool_output\n{}\n```", part.text));
  }
};

prompt::Role prompt_role(store::Role role) {
  if (role == store::Role::kSystem) return prompt::Role::kSystem;
  return role == store::Role::kAssistant ? prompt::Role::kAssistant : prompt::Role::kUser;
}

void add(ChatMessage message, ChatBuilder& chat) {
  if (message.role == prompt::Role::kSystem) return chat.add_system(message.text);
  chat.add(std::move(message));
}

bool can_use_ids(const store::Message& message, const ServedModel& model, const std::string& text) {
  const auto& ids = message.answer.token_ids;
  const auto hash = digest_from_hex(model.facts.digest);
  if (ids.empty() || !hash || message.answer.model_hash != hash) return false;
  const auto tokenizer = model.engine->tokenizer();
  return tokenizer != nullptr && session::ids_spell(*tokenizer, ids, text);
}

}  // namespace

ChatMessage to_chat_message(store::Role role, const std::vector<store::Part>& parts,
                            const session::Blobs& blobs) {
  ChatMessage message{.role = prompt_role(role)};
  for (const store::Part& part : parts) std::visit(PartReader{message, blobs}, part);
  return message;
}

void add_history(const session::History& history, const ServedModel& model, ChatBuilder& chat) {
  for (const store::Message& kept : history.messages) {
    ChatMessage message = to_chat_message(kept.role, kept.parts, history.blobs);
    message.source = to_string(kept.id);
    if (can_use_ids(kept, model, message.text)) message.generated_ids = kept.answer.token_ids;
    add(std::move(message), chat);
  }
}

void add_messages(std::span<const store::NewMessage> messages, const session::Blobs& blobs,
                  ChatBuilder& chat) {
  for (const store::NewMessage& message : messages)
    add(to_chat_message(message.role, message.parts, blobs), chat);
}

}  // namespace carat::server::openai
