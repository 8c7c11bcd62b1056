#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/token_id.h"
#include "prompt/message.h"

namespace carat::server {

inline constexpr std::size_t kMostImages = 64;  // of one request

// A picture as it came, not yet decoded.
struct ImageSource {
  enum class Detail : std::uint8_t { kAuto, kLow, kHigh };
  std::vector<std::byte> file;
  Detail detail = Detail::kAuto;

  // Whether it is shown as a row of crops too; `by_default`: where "detail" leaves it open.
  bool scans(bool by_default) const { return detail == Detail::kAuto ? by_default : detail == Detail::kHigh; }
};

struct ChatMessage {
  prompt::Role role = prompt::Role::kUser;
  std::string text = {};
  std::vector<ImageSource> images = {};  // shown before the text
  // Of an answer that was generated here: what the model wrote (prompt::Message::generated_ids).
  std::vector<TokenId> generated_ids = {};
  std::string source = {};  // the id of the kept message that it is; empty: of none, or of several
};

// The messages of a request in the order that prompts need: an optional system message, then user and
// assistant in turn.
struct ChatTurns {
  std::vector<ChatMessage> messages;
  bool continues_answer = false;  // the last message is the beginning of the answer
};

std::size_t image_count(const ChatTurns& turns);

// Text, a line break, more text; without the break where either is empty.
void append_line(std::string& text, std::string_view more);
// The same with an empty line between them.
void append_paragraph(std::string& text, std::string_view more);

// Puts the messages of any API into that order: neighbours of the same role become one, an answer at the
// beginning gets an empty question.
class ChatBuilder {
 public:
  // Before all other messages it is the system text; later it is text of the user's.
  void add_system(std::string_view text);
  void add(ChatMessage message);
  ChatTurns finish() &&;

 private:
  std::string system_;
  bool has_system_ = false;
  std::vector<ChatMessage> messages_;
};

}  // namespace carat::server
