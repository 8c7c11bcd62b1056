#include "server/chat_messages.h"

#include <iterator>
#include <utility>

namespace carat::server {

using prompt::Role;

std::size_t image_count(const ChatTurns& turns) {
  std::size_t count = 0;
  for (const ChatMessage& message : turns.messages) count += message.images.size();
  return count;
}

void append_line(std::string& text, std::string_view more) {
  if (!text.empty() && !more.empty()) text += '\n';
  text += more;
}

void append_paragraph(std::string& text, std::string_view more) {
  if (!text.empty() && !more.empty()) text += "\n\n";
  text += more;
}

void ChatBuilder::add_system(std::string_view text) {
  if (!messages_.empty()) return add({.role = Role::kUser, .text = std::string(text)});
  append_paragraph(system_, text);
  has_system_ = true;
}

void ChatBuilder::add(ChatMessage message) {
  if (messages_.empty() && message.role == Role::kAssistant) messages_.emplace_back();
  if (messages_.empty() || messages_.back().role != message.role) {
    messages_.push_back(std::move(message));
    return;
  }
  ChatMessage& last = messages_.back();
  append_paragraph(last.text, message.text);
  last.generated_ids.clear();  // they spell another text now
  last.source.clear();
  last.images.insert(last.images.end(), std::make_move_iterator(message.images.begin()),
                     std::make_move_iterator(message.images.end()));
}

ChatTurns ChatBuilder::finish() && {
  // The beginning of an answer that is empty is none.
  if (!messages_.empty() && messages_.back().role == Role::kAssistant && messages_.back().text.empty())
    messages_.pop_back();
  if (messages_.empty()) messages_.emplace_back();  // the system text alone, as a turn of the user's
  ChatTurns turns;
  turns.continues_answer = messages_.back().role == Role::kAssistant;
  if (has_system_) turns.messages.push_back({.role = Role::kSystem, .text = std::move(system_)});
  turns.messages.insert(turns.messages.end(), std::make_move_iterator(messages_.begin()),
                        std::make_move_iterator(messages_.end()));
  return turns;
}

}  // namespace carat::server
