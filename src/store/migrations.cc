#include "store/migrations.h"

#include <array>
#include <cstdint>
#include <string>

namespace carat::store {
namespace {

constexpr std::int64_t kApplicationId = 0x43617261;  // "Cara", kept in the header of the file

// Ids are UUIDs of 16 bytes, times microseconds since 1970, digests 32 bytes; owner_id is in every row, and
// part of the keys by which tables refer to each other, so that a row of one owner cannot lead to another's.
constexpr std::string_view kConversations = R"sql(
CREATE TABLE conversations (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  owner_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('chat', 'responses')),
  title TEXT NOT NULL,
  head_id BLOB,                 -- the newest message of the branch that is shown; null while there is none
  version INTEGER NOT NULL,     -- grows with every change of the head or the title
  created_us INTEGER NOT NULL,
  updated_us INTEGER NOT NULL,
  expires_us INTEGER,           -- null: kept until it is deleted
  UNIQUE (owner_id, id),
  FOREIGN KEY (id, head_id) REFERENCES messages (conversation_id, id) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE INDEX conversations_newest ON conversations (owner_id, kind, updated_us, id);
CREATE INDEX conversations_expiry ON conversations (expires_us) WHERE expires_us IS NOT NULL;

CREATE TABLE messages (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  owner_id TEXT NOT NULL,
  conversation_id BLOB NOT NULL,
  parent_id BLOB,               -- null: the first of its conversation
  depth INTEGER NOT NULL,       -- how many ancestors it has
  role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant', 'tool')),
  status TEXT NOT NULL CHECK (status IN ('pending', 'streaming', 'done', 'cancelled', 'interrupted', 'failed')),
  writer INTEGER,               -- who is writing it; null when it is finished
  parts TEXT NOT NULL,          -- JSON
  model_hash BLOB,
  sampling TEXT,                -- JSON
  seed INTEGER,                 -- the bits of an unsigned number
  token_ids BLOB,               -- 32 bits each, low byte first
  prompt_hash BLOB,             -- SHA-256 of the rendered prompt
  prompt_tokens INTEGER,
  answer_tokens INTEGER,
  finish_reason TEXT,
  created_us INTEGER NOT NULL,
  finished_us INTEGER,
  UNIQUE (conversation_id, id),
  UNIQUE (owner_id, id),
  FOREIGN KEY (owner_id, conversation_id) REFERENCES conversations (owner_id, id) ON DELETE CASCADE,
  FOREIGN KEY (conversation_id, parent_id) REFERENCES messages (conversation_id, id)
    DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE INDEX messages_children ON messages (conversation_id, parent_id);
CREATE INDEX messages_unfinished ON messages (writer) WHERE writer IS NOT NULL;

CREATE TABLE blobs (
  owner_id TEXT NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  media_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  uses INTEGER NOT NULL DEFAULT 0,   -- rows of message_blobs that name it
  created_us INTEGER NOT NULL,
  data BLOB NOT NULL,                -- last, so that the other columns are read without it
  PRIMARY KEY (owner_id, digest)
) STRICT;
CREATE INDEX blobs_size ON blobs (owner_id, size);
CREATE INDEX blobs_unused ON blobs (created_us) WHERE uses = 0;

CREATE TABLE message_blobs (
  owner_id TEXT NOT NULL,
  message_id BLOB NOT NULL,
  digest BLOB NOT NULL,
  PRIMARY KEY (owner_id, message_id, digest),
  FOREIGN KEY (owner_id, message_id) REFERENCES messages (owner_id, id) ON DELETE CASCADE,
  FOREIGN KEY (owner_id, digest) REFERENCES blobs (owner_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_blobs_digest ON message_blobs (owner_id, digest);

-- Whatever deletes a message, the last use of a blob takes the blob along.
CREATE TRIGGER blob_used AFTER INSERT ON message_blobs BEGIN
  UPDATE blobs SET uses = uses + 1 WHERE owner_id = new.owner_id AND digest = new.digest;
END;
CREATE TRIGGER blob_released AFTER DELETE ON message_blobs BEGIN
  UPDATE blobs SET uses = uses - 1 WHERE owner_id = old.owner_id AND digest = old.digest;
  DELETE FROM blobs WHERE owner_id = old.owner_id AND digest = old.digest AND uses = 0;
END;
)sql";

constexpr std::string_view kResponses = R"sql(
CREATE TABLE responses (
  message_id BLOB NOT NULL PRIMARY KEY,
  owner_id TEXT NOT NULL,
  previous_id BLOB,             -- the response that this one goes on from, which may be deleted by now
  body TEXT NOT NULL,           -- what the server wants back, JSON
  created_us INTEGER NOT NULL,
  expires_us INTEGER,
  FOREIGN KEY (owner_id, message_id) REFERENCES messages (owner_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX responses_message ON responses (owner_id, message_id);
CREATE INDEX responses_expiry ON responses (expires_us) WHERE expires_us IS NOT NULL;

CREATE TABLE idempotency (
  owner_id TEXT NOT NULL,
  key TEXT NOT NULL,
  request_hash BLOB NOT NULL,
  response_id TEXT,             -- null while the request is running
  writer INTEGER,               -- who is running it
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  PRIMARY KEY (owner_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expiry ON idempotency (expires_us);
CREATE INDEX idempotency_running ON idempotency (writer) WHERE writer IS NOT NULL;
)sql";

constexpr std::string_view kKeys = R"sql(
CREATE TABLE api_keys (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  owner_id TEXT NOT NULL,       -- whose conversations it opens
  name TEXT NOT NULL,
  hint TEXT NOT NULL,           -- the first characters of the secret, to tell keys apart
  secret_hash BLOB NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
  scopes INTEGER NOT NULL,
  requests_per_minute INTEGER,
  concurrent_requests INTEGER,
  tokens_per_minute INTEGER,
  tokens_per_day INTEGER,
  created_us INTEGER NOT NULL,
  last_used_us INTEGER,
  revoked_us INTEGER
) STRICT;
CREATE UNIQUE INDEX api_keys_name ON api_keys (name) WHERE revoked_us IS NULL;

CREATE TABLE key_usage (
  key_id BLOB NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
  day INTEGER NOT NULL,         -- since 1970, UTC
  requests INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  PRIMARY KEY (key_id, day)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::string_view kPlans = R"sql(
ALTER TABLE messages ADD COLUMN cached_tokens INTEGER;
ALTER TABLE messages ADD COLUMN plan TEXT;  -- JSON
)sql";

constexpr std::array kMigrations = {kConversations, kResponses, kKeys, kPlans};

Result<> apply(Database& database, std::string_view step, std::size_t version) {
  CARAT_TRY(Transaction transaction, Transaction::begin(database));
  // Another process may have been here first.
  CARAT_TRY(const std::int64_t now, database.number("PRAGMA user_version"));
  if (now != static_cast<std::int64_t>(version)) return {};
  CARAT_TRY_VOID(database.script(std::string(step)));
  CARAT_TRY_VOID(database.script(
      fmt::format("PRAGMA user_version = {}; PRAGMA application_id = {};", version + 1, kApplicationId)));
  return transaction.commit();
}

}  // namespace

std::span<const std::string_view> migrations() { return kMigrations; }

Result<> check_version(Database& database, std::span<const std::string_view> steps) {
  CARAT_TRY(const std::int64_t application, database.number("PRAGMA application_id"));
  CARAT_TRY(const std::int64_t tables, database.number("SELECT count(*) FROM sqlite_schema"));
  CARAT_TRY(const std::int64_t version, database.number("PRAGMA user_version"));
  if (application == 0 && tables == 0 && version == 0) return {};  // nothing is in it yet
  if (application != kApplicationId) {
    return fail(ErrorKind::kFailed, "{}: this is a database of another program; it was not touched",
                database.name());
  }
  if (version < 0 || static_cast<std::uint64_t>(version) > steps.size()) {
    return fail(ErrorKind::kFailed,
                "{}: a newer Carat wrote this database (version {}, this one knows {}); it was not touched",
                database.name(), version, steps.size());
  }
  return {};
}

Result<> migrate(Database& database, std::span<const std::string_view> steps) {
  CARAT_TRY_VOID(check_version(database, steps));
  CARAT_TRY(std::int64_t version, database.number("PRAGMA user_version"));
  while (static_cast<std::size_t>(version) < steps.size()) {
    const auto step = static_cast<std::size_t>(version);
    CARAT_TRY_VOID(apply(database, steps[step], step));
    CARAT_TRY(version, database.number("PRAGMA user_version"));
    if (version <= static_cast<std::int64_t>(step)) return std::unexpected(database.damaged("no version"));
  }
  return {};
}

}  // namespace carat::store
