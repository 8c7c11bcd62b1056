#include "store/sqlite_conversations.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/utf8.h"
#include "store/message_row.h"
#include "store/names.h"
#include "store/response_store.h"
#include "store/row_reader.h"

namespace carat::store {
namespace {

constexpr std::string_view kNoConversation = "no such conversation";
constexpr std::string_view kNoMessage = "no such message";

Result<> check_version(const Conversation& conversation, std::optional<std::int64_t> expected) {
  if (!expected || *expected == conversation.version) return {};
  return fail(ErrorKind::kConflict,
              "the conversation was changed meanwhile: version {} was expected, it is {}", *expected,
              conversation.version);
}

Result<std::string> checked_title(const std::string& title) {
  std::string mended = replace_invalid_utf8(title);
  if (mended.size() <= ConversationStore::kMostTitleBytes) return mended;
  return fail(ErrorKind::kQuota, "a title has at most {} bytes, found {}", ConversationStore::kMostTitleBytes,
              mended.size());
}

// Before everything, for the first page.
ListCursor newest_possible() {
  ListCursor cursor{WallTime::max(), {}};
  cursor.id.bytes.fill(std::numeric_limits<std::uint8_t>::max());
  return cursor;
}

}  // namespace

Result<Appended> SqliteConversations::create(const OwnerId& owner, const NewConversation& conversation,
                                             const Append& first) {
  CARAT_TRY_VOID(check_owner(owner));
  Conversation made;
  made.id = context_.ids.next();
  made.kind = conversation.kind;
  CARAT_TRY(made.title, checked_title(conversation.title));
  made.created = made.updated = context_.clock.now();
  made.expires = conversation.expires;
  CARAT_TRY(Transaction transaction, Transaction::begin(db_));
  CARAT_TRY_VOID(db_.change(
      "INSERT INTO conversations (owner_id, id, kind, title, version, created_us, updated_us, expires_us) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
      owner, made.id, name_of(made.kind), made.title, made.version, made.created, made.expires));
  CARAT_TRY(Appended appended, append_to(owner, std::move(made), first));
  CARAT_TRY_VOID(transaction.commit());
  return appended;
}

Result<Appended> SqliteConversations::append(const OwnerId& owner, const Uuid& id, const Append& append) {
  CARAT_TRY(Transaction transaction, Transaction::begin(db_));
  CARAT_TRY(Conversation found, conversation(owner, id));
  CARAT_TRY(Appended appended, append_to(owner, std::move(found), append));
  CARAT_TRY_VOID(transaction.commit());
  return appended;
}

Result<Appended> SqliteConversations::append_to(const OwnerId& owner, Conversation conversation,
                                                const Append& append) {
  CARAT_TRY_VOID(check_version(conversation, append.version));
  Appended appended{std::move(conversation), {}};
  if (append.messages.empty()) return appended;
  Conversation& changed = appended.conversation;
  changed.updated = context_.clock.now();
  Message message;
  message.conversation = changed.id;
  message.parent = append.parent ? append.parent : changed.head;
  message.created = changed.updated;
  CARAT_TRY(message.depth, depth_below(owner, changed, message.parent));
  for (const NewMessage& added : append.messages) {
    if (message.depth >= kMostDepth) {
      return fail(ErrorKind::kQuota, "a conversation has at most {} messages in a row", kMostDepth);
    }
    message.id = context_.ids.next();
    message.role = added.role;
    message.status = added.status;
    message.parts = added.parts;
    message.answer = added.answer;
    CARAT_TRY_VOID(insert_message(owner, message));
    appended.messages.push_back(message.id);
    message.parent = message.id;
    ++message.depth;
  }
  changed.head = message.parent;
  ++changed.version;
  if (append.response) CARAT_TRY_VOID(insert_response(owner, *changed.head, *append.response));
  CARAT_TRY_VOID(db_.change(
      "UPDATE conversations SET head_id = ?3, version = ?4, updated_us = ?5 WHERE owner_id = ?1 AND id = ?2",
      owner, changed.id, changed.head, changed.version, changed.updated));
  return appended;
}

// The depth of a child of `parent`.
Result<std::int64_t> SqliteConversations::depth_below(const OwnerId& owner, const Conversation& conversation,
                                                      const std::optional<Uuid>& parent) {
  if (!parent) return 0;
  Query query =
      db_.query("SELECT depth FROM messages WHERE owner_id = ?1 AND conversation_id = ?2 AND id = ?3", owner,
                conversation.id, *parent);
  CARAT_TRY(const bool found, query.next());
  if (!found) return fail(ErrorKind::kNotFound, "{}", kNoMessage);
  const std::int64_t depth = query.integer(0);
  if (depth < 0 || depth >= kMostDepth) return std::unexpected(db_.damaged("a message is too deep"));
  return depth + 1;
}

Result<> SqliteConversations::insert_message(const OwnerId& owner, const Message& message) {
  CARAT_TRY(const std::string parts, parts_to_json(message.parts));
  const AnswerColumns answer(message.answer);
  CARAT_TRY_VOID(db_.change(
      "INSERT INTO messages (owner_id, id, conversation_id, parent_id, depth, role, status, parts, "
      "model_hash, sampling, seed, token_ids, prompt_hash, prompt_tokens, answer_tokens, finish_reason, "
      "created_us, writer, finished_us, cached_tokens, plan) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, "
      "CASE WHEN ?18 THEN NULL ELSE ?19 END, CASE WHEN ?18 THEN ?17 ELSE NULL END, ?20, ?21)",
      owner, message.id, message.conversation, message.parent, message.depth, name_of(message.role),
      name_of(message.status), parts, answer.model_hash, answer.sampling, answer.seed, answer.token_ids,
      answer.prompt_hash, answer.prompt_tokens, answer.answer_tokens, answer.finish_reason, message.created,
      std::int64_t{is_finished(message.status)}, context_.writers.writer(), answer.cached_tokens,
      answer.plan));
  return link_blobs(owner, message.id, message.parts);
}

Result<> SqliteConversations::insert_response(const OwnerId& owner, const Uuid& message,
                                              const NewResponse& response) {
  if (response.body.size() > ResponseStore::kMostBodyBytes) {
    return fail(ErrorKind::kQuota, "a response takes {} bytes, at most {} are stored", response.body.size(),
                ResponseStore::kMostBodyBytes);
  }
  CARAT_TRY_VOID(
      db_.change("INSERT INTO responses (owner_id, message_id, previous_id, body, created_us, expires_us) "
                 "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                 owner, message, response.previous, response.body, context_.clock.now(), response.expires));
  return {};
}

// Makes the message use exactly the blobs of these parts. New ones come first, so that a blob that stays in
// use is never without a user.
Result<> SqliteConversations::link_blobs(const OwnerId& owner, const Uuid& message,
                                         const std::vector<Part>& parts) {
  const std::vector<Sha256Digest> wanted = blobs_of(parts);
  for (const Sha256Digest& digest : wanted) {
    CARAT_TRY(const std::int64_t known,
              db_.number("SELECT count(*) FROM blobs WHERE owner_id = ?1 AND digest = ?2", owner, digest));
    if (known == 0) return fail(ErrorKind::kNotFound, "no such blob");
    CARAT_TRY_VOID(
        db_.change("INSERT OR IGNORE INTO message_blobs (owner_id, message_id, digest) VALUES (?1, ?2, ?3)",
                   owner, message, digest));
  }
  std::vector<Sha256Digest> dropped;
  Query query =
      db_.query("SELECT digest FROM message_blobs WHERE owner_id = ?1 AND message_id = ?2", owner, message);
  while (true) {
    CARAT_TRY(const bool more, query.next());
    if (!more) break;
    RowReader reader(db_, query);
    const Sha256Digest digest = reader.digest();
    CARAT_TRY_VOID(reader.check());
    if (!std::ranges::binary_search(wanted, digest)) dropped.push_back(digest);
  }
  for (const Sha256Digest& digest : dropped) {
    CARAT_TRY_VOID(
        db_.change("DELETE FROM message_blobs WHERE owner_id = ?1 AND message_id = ?2 AND digest = ?3", owner,
                   message, digest));
  }
  return {};
}

Result<> SqliteConversations::update(const OwnerId& owner, const Uuid& id, const MessageUpdate& update) {
  CARAT_TRY(const std::string parts, parts_to_json(update.parts));
  CARAT_TRY(Transaction transaction, Transaction::begin(db_));
  CARAT_TRY(const Message before, message(owner, id));
  if (is_finished(before.status)) {
    return fail(ErrorKind::kConflict, "the message is {} already", name_of(before.status));
  }
  const AnswerColumns answer(update.answer);
  const WallTime now = context_.clock.now();
  const bool finished = is_finished(update.status);
  CARAT_TRY_VOID(db_.change(
      "UPDATE messages SET status = ?3, parts = ?4, "
      "model_hash = coalesce(?5, model_hash), sampling = coalesce(?6, sampling), seed = coalesce(?7, seed), "
      "token_ids = coalesce(?8, token_ids), prompt_hash = coalesce(?9, prompt_hash), "
      "prompt_tokens = coalesce(?10, prompt_tokens), answer_tokens = coalesce(?11, answer_tokens), "
      "finish_reason = coalesce(?12, finish_reason), cached_tokens = coalesce(?16, cached_tokens), "
      "plan = coalesce(?17, plan), "
      "writer = CASE WHEN ?13 THEN NULL ELSE ?14 END, finished_us = CASE WHEN ?13 THEN ?15 ELSE NULL END "
      "WHERE owner_id = ?1 AND id = ?2",
      owner, id, name_of(update.status), parts, answer.model_hash, answer.sampling, answer.seed,
      answer.token_ids, answer.prompt_hash, answer.prompt_tokens, answer.answer_tokens, answer.finish_reason,
      std::int64_t{finished}, context_.writers.writer(), now, answer.cached_tokens, answer.plan));
  CARAT_TRY_VOID(link_blobs(owner, id, update.parts));
  if (finished) {
    CARAT_TRY_VOID(db_.change("UPDATE conversations SET updated_us = ?3 WHERE owner_id = ?1 AND id = ?2",
                              owner, before.conversation, now));
  }
  return transaction.commit();
}

Result<Conversation> SqliteConversations::conversation(const OwnerId& owner, const Uuid& id) {
  Query query = db_.query(fmt::format("SELECT {} FROM conversations WHERE owner_id = ?1 AND id = ?2 AND "
                                      "(expires_us IS NULL OR expires_us > ?3)",
                                      kConversationColumns),
                          owner, id, context_.clock.now());
  CARAT_TRY(const bool found, query.next());
  if (!found) return fail(ErrorKind::kNotFound, "{}", kNoConversation);
  return read_conversation(db_, query);
}

Result<Message> SqliteConversations::message(const OwnerId& owner, const Uuid& id) {
  Query query =
      db_.query(fmt::format("SELECT {} FROM messages m WHERE m.owner_id = ?1 AND m.id = ?2", kMessageColumns),
                owner, id);
  CARAT_TRY(const bool found, query.next());
  if (!found) return fail(ErrorKind::kNotFound, "{}", kNoMessage);
  return read_message(db_, query);
}

Result<std::vector<Message>> SqliteConversations::path(const OwnerId& owner, const Uuid& id) {
  // One statement, so that all of it is of one moment. The limit ends circles, which only damage can make.
  Query query = db_.query(
      fmt::format("WITH RECURSIVE path (id, parent_id) AS ("
                  "  SELECT id, parent_id FROM messages WHERE owner_id = ?1 AND id = ?2"
                  "  UNION ALL"
                  "  SELECT up.id, up.parent_id FROM path JOIN messages up ON up.id = path.parent_id"
                  "    WHERE up.owner_id = ?1 LIMIT ?3)"
                  "SELECT {} FROM path JOIN messages m ON m.id = path.id ORDER BY m.depth",
                  kMessageColumns),
      owner, id, kMostDepth + 1);
  std::vector<Message> messages;
  while (true) {
    CARAT_TRY(const bool more, query.next());
    if (!more) break;
    CARAT_TRY(Message message, read_message(db_, query));
    const bool follows = messages.empty() ? !message.parent : message.parent == messages.back().id;
    if (!follows || message.depth != static_cast<std::int64_t>(messages.size())) {
      return std::unexpected(db_.damaged("messages of a conversation do not follow each other"));
    }
    messages.push_back(std::move(message));
  }
  if (messages.empty()) return fail(ErrorKind::kNotFound, "{}", kNoMessage);
  return messages;
}

Result<ConversationPage> SqliteConversations::list(const OwnerId& owner, std::size_t limit,
                                                   const std::optional<ListCursor>& after) {
  limit = std::clamp<std::size_t>(limit, 1, kMostPage);
  const ListCursor begin = after.value_or(newest_possible());
  Query query =
      db_.query(fmt::format("SELECT {} FROM conversations WHERE owner_id = ?1 AND kind = 'chat' "
                            "AND (updated_us, id) < (?2, ?3) AND (expires_us IS NULL OR expires_us > ?4) "
                            "ORDER BY updated_us DESC, id DESC LIMIT ?5",
                            kConversationColumns),
                owner, begin.updated, begin.id, context_.clock.now(), static_cast<std::int64_t>(limit + 1));
  ConversationPage page;
  while (true) {
    CARAT_TRY(const bool more, query.next());
    if (!more) return page;
    if (page.conversations.size() == limit) {  // one more than asked for: there is another page
      page.next = ListCursor{page.conversations.back().updated, page.conversations.back().id};
      return page;
    }
    CARAT_TRY(Conversation conversation, read_conversation(db_, query));
    page.conversations.push_back(std::move(conversation));
  }
}

Result<Conversation> SqliteConversations::rename(const OwnerId& owner, const Uuid& id,
                                                 const std::string& title,
                                                 std::optional<std::int64_t> version) {
  CARAT_TRY(std::string mended, checked_title(title));
  CARAT_TRY(Transaction transaction, Transaction::begin(db_));
  CARAT_TRY(Conversation renamed, conversation(owner, id));
  CARAT_TRY_VOID(check_version(renamed, version));
  renamed.title = std::move(mended);
  renamed.updated = context_.clock.now();
  ++renamed.version;
  CARAT_TRY_VOID(db_.change(
      "UPDATE conversations SET title = ?3, version = ?4, updated_us = ?5 WHERE owner_id = ?1 AND id = ?2",
      owner, id, renamed.title, renamed.version, renamed.updated));
  CARAT_TRY_VOID(transaction.commit());
  return renamed;
}

Result<> SqliteConversations::remove(const OwnerId& owner, const Uuid& id) {
  CARAT_TRY(const std::int64_t removed,
            db_.change("DELETE FROM conversations WHERE owner_id = ?1 AND id = ?2", owner, id));
  if (removed == 0) return fail(ErrorKind::kNotFound, "{}", kNoConversation);
  db_.flush_log();
  return {};
}

}  // namespace carat::store
