#include <fmt/format.h>

#include <string>

#include "chat/dialogue_roles.h"
#include "chat/strip.h"
#include "chat/styles.h"

namespace carat::chat {
namespace {

using prompt::Markup;
using prompt::Message;
using prompt::Piece;
using prompt::PlainText;
using prompt::TokenIds;

// A base model goes on as the transcript began: the examples show it to answer shortly and to stop.
constexpr std::string_view kPreamble =
    "The following is a conversation between a user and a helpful assistant. The assistant gives short, "
    "correct and "
    "friendly answers.";

struct Example {
  std::string_view user;
  std::string_view assistant;
};
constexpr Example kExamples[] = {
    {"Hello! Who are you?", "Hello! I am an assistant. How can I help you?"},
    {"Which planet is closest to the Sun?", "Mercury is the planet closest to the Sun."},
};

std::string clean(std::string_view text) { return neutralise_markers(strip(text)); }

std::string header(std::string_view marker) { return fmt::format("\n\n{}\n", marker); }

// A user's text and the header of the answer.
std::string end_of_user_turn(std::string text) { return text.append(header(kAssistantMarker)); }

std::string preamble(std::string_view system) {
  std::string text(kPreamble);
  const std::string instructions = clean(system);
  if (!instructions.empty()) text.append("\n").append(instructions);
  for (const Example& example : kExamples)
    text.append(header(kUserMarker))
        .append(end_of_user_turn(std::string(example.user)))
        .append(example.assistant);
  return text;
}

Piece answer_piece(const Message& message) {
  if (!message.generated_ids.empty()) return TokenIds{message.generated_ids};
  return PlainText{clean(message.text)};
}

}  // namespace

// Plain text throughout. Each turn ends with a newline and the answer is a piece of its own, so that the next
// prompt begins with this one, whatever tokens the answer has.
std::vector<Piece> render_dialogue(const CheckedConversation& conversation) {
  std::vector<Piece> pieces = {Markup{"<bos>"}};
  std::string text = preamble(conversation.system.value_or(""));
  for (const Message& message : conversation.messages) {
    if (message.role == prompt::Role::kUser) {
      push_user_text(text.append(header(kUserMarker)), message, end_of_user_turn(clean(message.text)),
                     pieces);
      text.clear();
    } else if (conversation.is_begun_answer(message)) {
      pieces.push_back(PlainText{neutralise_markers(message.text)});
    } else {
      pieces.push_back(answer_piece(message));
    }
  }
  return pieces;
}

}  // namespace carat::chat
