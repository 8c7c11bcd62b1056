#include "store/message_row.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "store/names.h"
#include "store/row_reader.h"
#include "store/sampling_json.h"

namespace carat::store {
namespace {

constexpr std::size_t kIdBytes = 4;

std::vector<std::byte> pack(const std::vector<TokenId>& ids) {
  std::vector<std::byte> bytes;
  bytes.reserve(ids.size() * kIdBytes);
  for (const TokenId id : ids) {
    const auto bits = std::bit_cast<std::uint32_t>(id);
    for (unsigned shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::byte>(bits >> shift));
  }
  return bytes;
}

Result<std::vector<TokenId>> unpack(std::span<const std::byte> bytes) {
  if (bytes.size() % kIdBytes != 0) return fail(ErrorKind::kFailed, "token ids have not 4 bytes each");
  std::vector<TokenId> ids;
  ids.reserve(bytes.size() / kIdBytes);
  for (std::size_t place = 0; place < bytes.size(); place += kIdBytes) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < kIdBytes; ++i)
      bits |= std::to_integer<std::uint32_t>(bytes[place + i]) << 8 * i;
    const auto id = std::bit_cast<TokenId>(bits);
    if (id < 0) return fail(ErrorKind::kFailed, "a token id is negative");
    ids.push_back(id);
  }
  return ids;
}

}  // namespace

Result<Message> read_message(const Database& database, const Query& row) {
  RowReader reader(database, row);
  Message message;
  message.id = reader.uuid();
  message.conversation = reader.uuid();
  message.parent = reader.maybe(&RowReader::uuid);
  message.depth = reader.integer();
  message.role = reader.named(&find_role, "a message has an unknown role");
  message.status = reader.named(&find_status, "a message has an unknown status");
  message.parts = reader.value_of(parts_from_json(reader.text()));
  AnswerRecord& answer = message.answer;
  answer.model_hash = reader.maybe(&RowReader::digest);
  if (const auto text = reader.maybe(&RowReader::text)) {
    answer.sampling = reader.value_of(sampling_from_json(*text));
  }
  if (const auto bits = reader.maybe(&RowReader::integer)) answer.seed = std::bit_cast<std::uint64_t>(*bits);
  answer.token_ids = reader.value_of(unpack(reader.bytes()));
  answer.prompt_hash = reader.maybe(&RowReader::digest);
  answer.prompt_tokens = reader.maybe(&RowReader::integer);
  answer.answer_tokens = reader.maybe(&RowReader::integer);
  answer.finish_reason = reader.text();
  message.created = reader.time();
  message.finished = reader.maybe(&RowReader::time);
  answer.cached_tokens = reader.maybe(&RowReader::integer);
  answer.plan = reader.text();
  CARAT_TRY_VOID(reader.check());
  return message;
}

Result<Conversation> read_conversation(const Database& database, const Query& row) {
  RowReader reader(database, row);
  Conversation conversation;
  conversation.id = reader.uuid();
  conversation.kind = reader.named(&find_kind, "a conversation is of unknown kind");
  conversation.title = reader.text();
  conversation.head = reader.maybe(&RowReader::uuid);
  conversation.version = reader.integer();
  conversation.created = reader.time();
  conversation.updated = reader.time();
  conversation.expires = reader.maybe(&RowReader::time);
  CARAT_TRY_VOID(reader.check());
  return conversation;
}

AnswerColumns::AnswerColumns(const AnswerRecord& answer)
    : model_hash(answer.model_hash),
      prompt_hash(answer.prompt_hash),
      prompt_tokens(answer.prompt_tokens),
      cached_tokens(answer.cached_tokens),
      answer_tokens(answer.answer_tokens) {
  if (answer.sampling) sampling = sampling_to_json(*answer.sampling);
  if (answer.seed) seed = std::bit_cast<std::int64_t>(*answer.seed);
  if (!answer.token_ids.empty()) token_ids = pack(answer.token_ids);
  if (!answer.finish_reason.empty()) finish_reason = answer.finish_reason;
  if (!answer.plan.empty()) plan = answer.plan;
}

}  // namespace carat::store
