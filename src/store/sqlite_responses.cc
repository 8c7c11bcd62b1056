#include "store/sqlite_responses.h"

#include <optional>
#include <utility>
#include <vector>

#include "store/names.h"
#include "store/row_reader.h"

namespace carat::store {
namespace {

constexpr std::string_view kNoResponse = "no such response";

}  // namespace

// What decides whether a message goes with the response that needed it.
struct SqliteResponses::Leaf {
  Uuid conversation;
  std::optional<Uuid> parent;
  bool needed =
      true;  // by a message that follows, by another response, or because the conversation is a chat
};

Result<Response> SqliteResponses::get(const OwnerId& owner, const Uuid& id) {
  Query query = db_.query(
      "SELECT r.message_id, m.conversation_id, r.previous_id, r.body, m.status, r.created_us, r.expires_us "
      "FROM responses r JOIN messages m ON m.owner_id = r.owner_id AND m.id = r.message_id "
      "WHERE r.owner_id = ?1 AND r.message_id = ?2 AND (r.expires_us IS NULL OR r.expires_us > ?3)",
      owner, id, context_.clock.now());
  CARAT_TRY(const bool found, query.next());
  if (!found) return fail(ErrorKind::kNotFound, "{}", kNoResponse);
  RowReader reader(db_, query);
  Response response;
  response.id = reader.uuid();
  response.conversation = reader.uuid();
  response.previous = reader.maybe(&RowReader::uuid);
  response.body = reader.text();
  response.status = reader.named(&find_status, "a response has an unknown status");
  response.created = reader.time();
  response.expires = reader.maybe(&RowReader::time);
  CARAT_TRY_VOID(reader.check());
  return response;
}

Result<> SqliteResponses::set_body(const OwnerId& owner, const Uuid& id, const std::string& body) {
  if (body.size() > kMostBodyBytes) {
    return fail(ErrorKind::kQuota, "a response takes {} bytes, at most {} are stored", body.size(),
                kMostBodyBytes);
  }
  CARAT_TRY(const std::int64_t changed,
            db_.change("UPDATE responses SET body = ?3 WHERE owner_id = ?1 AND message_id = ?2 "
                       "AND (expires_us IS NULL OR expires_us > ?4)",
                       owner, id, body, context_.clock.now()));
  if (changed == 0) return fail(ErrorKind::kNotFound, "{}", kNoResponse);
  return {};
}

Result<> SqliteResponses::remove(const OwnerId& owner, const Uuid& id) {
  CARAT_TRY(Transaction transaction, Transaction::begin(db_));
  CARAT_TRY_VOID(get(owner, id));
  CARAT_TRY_VOID(remove_with_messages(owner, id));
  CARAT_TRY_VOID(transaction.commit());
  db_.flush_log();
  return {};
}

Result<SqliteResponses::Leaf> SqliteResponses::look_at(const OwnerId& owner, const Uuid& message) {
  Query query = db_.query(
      "SELECT m.conversation_id, m.parent_id, c.kind <> 'responses' "
      "  OR EXISTS (SELECT 1 FROM messages n WHERE n.conversation_id = m.conversation_id AND n.parent_id = "
      "m.id) "
      "  OR EXISTS (SELECT 1 FROM responses r WHERE r.owner_id = m.owner_id AND r.message_id = m.id) "
      "FROM messages m JOIN conversations c ON c.owner_id = m.owner_id AND c.id = m.conversation_id "
      "WHERE m.owner_id = ?1 AND m.id = ?2",
      owner, message);
  CARAT_TRY(const bool found, query.next());
  if (!found) return std::unexpected(db_.damaged("a message lacks the one before it"));
  RowReader reader(db_, query);
  Leaf leaf;
  leaf.conversation = reader.uuid();
  leaf.parent = reader.maybe(&RowReader::uuid);
  leaf.needed = reader.integer() != 0;
  CARAT_TRY_VOID(reader.check());
  return leaf;
}

Result<> SqliteResponses::remove_with_messages(const OwnerId& owner, const Uuid& id) {
  CARAT_TRY_VOID(db_.change("DELETE FROM responses WHERE owner_id = ?1 AND message_id = ?2", owner, id));
  std::optional<Uuid> message = id;
  while (message) {
    CARAT_TRY(const Leaf leaf, look_at(owner, *message));
    if (leaf.needed) return {};
    CARAT_TRY_VOID(
        db_.change("UPDATE conversations SET head_id = ?3, version = version + 1 "
                   "WHERE owner_id = ?1 AND id = ?2 AND head_id = ?4",
                   owner, leaf.conversation, leaf.parent, *message));
    CARAT_TRY_VOID(db_.change("DELETE FROM messages WHERE owner_id = ?1 AND id = ?2", owner, *message));
    if (!leaf.parent) {  // the root, and nothing hung on it
      CARAT_TRY_VOID(
          db_.change("DELETE FROM conversations WHERE owner_id = ?1 AND id = ?2", owner, leaf.conversation));
    }
    message = leaf.parent;
  }
  return {};
}

Result<std::int64_t> SqliteResponses::remove_expired(std::int64_t limit) {
  std::vector<std::pair<OwnerId, Uuid>> expired;
  {
    Query query = db_.query("SELECT owner_id, message_id FROM responses WHERE expires_us <= ?1 LIMIT ?2",
                            context_.clock.now(), limit);
    while (true) {
      CARAT_TRY(const bool more, query.next());
      if (!more) break;
      RowReader reader(db_, query);
      OwnerId owner = reader.text();
      expired.emplace_back(std::move(owner), reader.uuid());
      CARAT_TRY_VOID(reader.check());
    }
  }
  for (const auto& [owner, id] : expired) CARAT_TRY_VOID(remove_with_messages(owner, id));
  return static_cast<std::int64_t>(expired.size());
}

}  // namespace carat::store
