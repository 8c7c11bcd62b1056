#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/token_id.h"
#include "store/conversation_store.h"
#include "store/database.h"

namespace carat::store {

// The columns that read_message() takes, in order.
inline constexpr std::string_view kMessageColumns =
    "m.id, m.conversation_id, m.parent_id, m.depth, m.role, m.status, m.parts, m.model_hash, m.sampling, "
    "m.seed, m.token_ids, m.prompt_hash, m.prompt_tokens, m.answer_tokens, m.finish_reason, m.created_us, "
    "m.finished_us, m.cached_tokens, m.plan";
Result<Message> read_message(const Database& database, const Query& row);

inline constexpr std::string_view kConversationColumns =
    "id, kind, title, head_id, version, created_us, updated_us, expires_us";
Result<Conversation> read_conversation(const Database& database, const Query& row);

// The values of an answer as columns hold them; what is not known is null.
struct AnswerColumns {
  explicit AnswerColumns(const AnswerRecord& answer);

  std::optional<Sha256Digest> model_hash;
  std::optional<std::string> sampling;
  std::optional<std::int64_t> seed;  // the same bits, signed
  std::optional<std::vector<std::byte>> token_ids;
  std::optional<Sha256Digest> prompt_hash;
  std::optional<std::int64_t> prompt_tokens;
  std::optional<std::int64_t> cached_tokens;
  std::optional<std::int64_t> answer_tokens;
  std::optional<std::string> finish_reason;
  std::optional<std::string> plan;
};

}  // namespace carat::store
