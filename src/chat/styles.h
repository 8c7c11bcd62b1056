#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "prompt/message.h"
#include "prompt/piece.h"

namespace carat::chat {

// A conversation whose order of roles has been checked: messages alternate and the user's are first and last,
// or, where the answer has begun, the assistant's is last.
struct CheckedConversation {
  std::optional<std::string_view> system;  // as given
  std::span<const prompt::Message> messages;
  bool answer_has_begun = false;

  bool is_begun_answer(const prompt::Message& message) const {
    return answer_has_begun && &message == &messages.back();
  }
};

// Appends the text that ends with a user's: `before`, the message's images, `after`. One piece where there
// are no images.
void push_user_text(const std::string& before, const prompt::Message& message, const std::string& after,
                    std::vector<prompt::Piece>& pieces);

std::vector<prompt::Piece> render_gemma(const CheckedConversation& conversation);
std::vector<prompt::Piece> render_dialogue(const CheckedConversation& conversation);

}  // namespace carat::chat
