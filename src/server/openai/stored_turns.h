#pragma once

#include <span>
#include <vector>

#include "server/chat_messages.h"
#include "server/served_model.h"
#include "session/history.h"
#include "store/conversation_store.h"

namespace carat::server::openai {

// A message as it is kept, as a turn of a chat: calls of tools and their results become text. Answers of the
// same model keep the ids that it generated. `blobs` has the files of all its parts.
ChatMessage to_chat_message(store::Role role, const std::vector<store::Part>& parts,
                            const session::Blobs& blobs);

// The same for a branch that was kept earlier, added to `chat`.
void add_history(const session::History& history, const ServedModel& model, ChatBuilder& chat);

// The same for messages that are about to be kept.
void add_messages(std::span<const store::NewMessage> messages, const session::Blobs& blobs,
                  ChatBuilder& chat);

}  // namespace carat::server::openai
