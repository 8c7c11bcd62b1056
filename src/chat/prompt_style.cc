#include "chat/prompt_style.h"

#include <variant>

#include "base/check.h"
#include "chat/dialogue_roles.h"
#include "chat/styles.h"

namespace carat::chat {
namespace {

using prompt::Message;
using prompt::Role;

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kSystem: return "system";
    case Role::kUser: return "user";
    case Role::kAssistant: return "assistant";
  }
  return "";
}

Result<CheckedConversation> check(std::span<const Message> messages, Role last) {
  CheckedConversation out{.system = {}, .messages = messages, .answer_has_begun = last == Role::kAssistant};
  if (!messages.empty() && messages.front().role == Role::kSystem) {
    out.system = messages.front().text;
    out.messages = messages.subspan(1);
  }
  for (std::size_t i = 0; i < out.messages.size(); ++i) {
    const Role expected = i % 2 == 0 ? Role::kUser : Role::kAssistant;
    if (out.messages[i].role != expected) {
      return fail(
          ErrorKind::kUsage,
          "conversation roles must alternate user/assistant/user/assistant/... after an optional system "
          "message: message {} must be from {}, found {}",
          i + (messages.size() - out.messages.size()) + 1, name_of(expected), name_of(out.messages[i].role));
    }
  }
  if (out.messages.empty() || out.messages.back().role != last) {
    return fail(ErrorKind::kUsage, "the last message of a conversation must be from {}, found {}",
                name_of(last), messages.empty() ? "no message" : name_of(messages.back().role));
  }
  return out;
}

}  // namespace

void push_user_text(const std::string& before, const Message& message, const std::string& after,
                    std::vector<prompt::Piece>& pieces) {
  if (message.images.empty()) {
    pieces.emplace_back(prompt::PlainText{before + after});
    return;
  }
  pieces.emplace_back(prompt::PlainText{before});
  pieces.insert(pieces.end(), message.images.begin(), message.images.end());
  pieces.emplace_back(prompt::PlainText{after});
}

std::string_view name_of(PromptStyle style) { return style == PromptStyle::kGemma ? "gemma" : "dialogue"; }

std::optional<PromptStyle> find_prompt_style(std::string_view name) {
  for (const PromptStyle style : {PromptStyle::kGemma, PromptStyle::kDialogue}) {
    if (name == name_of(style)) return style;
  }
  return std::nullopt;
}

Result<std::vector<prompt::Piece>> render(PromptStyle style, std::span<const Message> messages) {
  CARAT_TRY(const CheckedConversation conversation, check(messages, Role::kUser));
  return style == PromptStyle::kGemma ? render_gemma(conversation) : render_dialogue(conversation);
}

Result<std::vector<prompt::Piece>> render_begun_answer(PromptStyle style, std::span<const Message> messages) {
  CARAT_TRY(const CheckedConversation conversation, check(messages, Role::kAssistant));
  return style == PromptStyle::kGemma ? render_gemma(conversation) : render_dialogue(conversation);
}

std::vector<std::size_t> message_ends(std::span<const prompt::Piece> pieces,
                                      std::span<const Message> messages) {
  const auto is_markup = [&](std::size_t i) { return std::holds_alternative<prompt::Markup>(pieces[i]); };
  std::vector<std::size_t> ends;
  std::size_t at = 0;
  while (at < pieces.size() && is_markup(at)) ++at;  // what a prompt begins with
  for (const Message& message : messages) {
    if (message.role == Role::kSystem) continue;
    at += 1 + (message.images.empty() ? 0 : message.images.size() + 1);
    CARAT_CHECK(at <= pieces.size());
    while (at < pieces.size() && is_markup(at)) ++at;
    ends.push_back(at);
  }
  CARAT_CHECK(at == pieces.size());
  return ends;
}

double default_temperature(PromptStyle style) { return style == PromptStyle::kDialogue ? 0.3 : 1.0; }

std::vector<std::string> stop_strings(PromptStyle style) {
  return style == PromptStyle::kGemma ? std::vector<std::string>() : dialogue_stop_strings();
}

}  // namespace carat::chat
