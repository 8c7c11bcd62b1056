#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/token_id.h"
#include "base/uuid.h"
#include "session/kept_answer.h"
#include "store/store.h"
#include "tokenizer/tokenizer.h"

namespace carat::session {

// A branch of a conversation, from its first message to the last.
struct History {
  Uuid conversation;
  std::vector<store::Message> messages;
  Blobs blobs;  // of all their parts
};

inline constexpr std::size_t kMostHistoryBytes = std::size_t{256} << 20;  // of its files together

// What the response `id` goes on from, itself included. kNotFound for one that is not there, is expired, or
// is somebody else's; kConflict while it is being written; kQuota for more files than kMostHistoryBytes.
Result<History> read_response_history(store::Store& store, const store::OwnerId& owner, const Uuid& id);

// Whether ids that come from outside are in this vocabulary, no control tokens, and spell the text.
bool ids_spell(const tokenizer::Tokenizer& tokenizer, std::span<const TokenId> ids, std::string_view text);

}  // namespace carat::session
