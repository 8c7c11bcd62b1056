#include <string>

#include "chat/strip.h"
#include "chat/styles.h"

namespace carat::chat {
namespace {

using prompt::Markup;
using prompt::Message;
using prompt::Piece;
using prompt::PlainText;
using prompt::TokenIds;

Piece answer_piece(const Message& message) {
  if (!message.generated_ids.empty()) return TokenIds{message.generated_ids};
  return PlainText{std::string(strip(message.text))};
}

}  // namespace

// The reference's chat template. Borders lie beside control tokens or between a newline and a text that does
// not begin with one, so the ids are those of the whole text. The first line of a user's turn is one piece
// with what follows: a system text is not stripped and may begin with newlines, which merge with the one
// before them.
std::vector<Piece> render_gemma(const CheckedConversation& conversation) {
  std::vector<Piece> pieces = {Markup{"<bos><start_of_turn>"}};
  std::string user = "user\n";
  if (conversation.system) user.append(*conversation.system).append("\n\n");
  for (const Message& message : conversation.messages) {
    if (message.role == prompt::Role::kUser) {
      push_user_text(user, message, std::string(strip(message.text)), pieces);
      pieces.push_back(Markup{"<end_of_turn>\n<start_of_turn>model\n"});
    } else if (conversation.is_begun_answer(message)) {
      pieces.push_back(PlainText{message.text});
    } else {
      pieces.push_back(answer_piece(message));
      pieces.push_back(Markup{"<end_of_turn>\n<start_of_turn>"});
      user = "user\n";
    }
  }
  return pieces;
}

}  // namespace carat::chat
