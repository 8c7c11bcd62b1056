#include "store/sqlite_store.h"

#include <utility>
#include <vector>

#include "store/migrations.h"
#include "store/sqlite_blobs.h"
#include "store/sqlite_conversations.h"
#include "store/sqlite_idempotency.h"
#include "store/sqlite_keys.h"
#include "store/sqlite_responses.h"
#include "store/writer_lock.h"

namespace carat::store {
namespace {

constexpr std::int64_t kSweptAtOnce = 1000;  // responses: a sweep holds the write lock

class SqliteStore final : public Store {
 public:
  SqliteStore(std::unique_ptr<Database> database, WriterLock writers, const WallClock& clock,
              const RandomBytes& random, std::int64_t blob_quota)
      : database_(std::move(database)),
        writers_(std::move(writers)),
        clock_(clock),
        ids_(clock, random),
        context_{*database_, clock, random, ids_, writers_, blob_quota},
        conversations_(context_),
        blobs_(context_),
        responses_(context_),
        idempotency_(context_),
        keys_(context_) {}

  ConversationStore& conversations() override { return conversations_; }
  BlobStore& blobs() override { return blobs_; }
  ResponseStore& responses() override { return responses_; }
  IdempotencyStore& idempotency() override { return idempotency_; }
  KeyStore& keys() override { return keys_; }

  Result<SweepCounts> sweep() override;

  // Finishes what writers left behind whose process ended.
  Result<> recover();

 private:
  Result<std::vector<std::int64_t>> dead_writers();

  std::unique_ptr<Database> database_;
  WriterLock writers_;
  const WallClock& clock_;
  UuidSource ids_;
  SqliteContext context_;
  SqliteConversations conversations_;
  SqliteBlobs blobs_;
  SqliteResponses responses_;
  SqliteIdempotency idempotency_;
  SqliteKeys keys_;
};

Result<SweepCounts> SqliteStore::sweep() {
  const WallTime now = clock_.now();
  SweepCounts counts;
  CARAT_TRY(Transaction transaction, Transaction::begin(*database_));
  CARAT_TRY(counts.conversations, database_->change("DELETE FROM conversations WHERE expires_us <= ?1", now));
  CARAT_TRY(counts.responses, responses_.remove_expired(kSweptAtOnce));
  CARAT_TRY(counts.idempotency_keys,
            database_->change("DELETE FROM idempotency WHERE expires_us <= ?1", now));
  CARAT_TRY(counts.blobs, database_->change("DELETE FROM blobs WHERE uses = 0 AND created_us <= ?1",
                                            now - kUnusedBlobLifetime));
  CARAT_TRY_VOID(transaction.commit());
  if (counts.conversations + counts.responses + counts.blobs != 0) database_->flush_log();
  return counts;
}

Result<std::vector<std::int64_t>> SqliteStore::dead_writers() {
  std::vector<std::int64_t> dead;
  Query query = database_->query(
      "SELECT writer FROM messages WHERE writer IS NOT NULL "
      "UNION SELECT writer FROM idempotency WHERE writer IS NOT NULL");
  while (true) {
    CARAT_TRY(const bool more, query.next());
    if (!more) return dead;
    CARAT_TRY(const bool alive, writers_.is_alive(query.integer(0)));
    if (!alive) dead.push_back(query.integer(0));
  }
}

Result<> SqliteStore::recover() {
  CARAT_TRY(Transaction transaction, Transaction::begin(*database_));
  CARAT_TRY(const std::vector<std::int64_t> dead, dead_writers());
  for (const std::int64_t writer : dead) {
    CARAT_TRY_VOID(database_->change(
        "UPDATE messages SET status = 'interrupted', writer = NULL, finished_us = ?2 WHERE writer = ?1",
        writer, clock_.now()));
    CARAT_TRY_VOID(database_->change("DELETE FROM idempotency WHERE writer = ?1", writer));
  }
  return transaction.commit();
}

std::int64_t new_writer(const RandomBytes& random) {
  std::uint64_t bits = 0;
  random(std::as_writable_bytes(std::span(&bits, 1)));
  return static_cast<std::int64_t>(bits >> 2);  // a place in a file
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path, const WallClock& clock,
                                                 const RandomBytes& random,
                                                 const SqliteStoreOptions& options) {
  CARAT_TRY(std::unique_ptr<Database> database, Database::open(path, options.database));
  CARAT_TRY_VOID(check_version(*database));
  CARAT_TRY_VOID(database->use_write_ahead_log());
  CARAT_TRY_VOID(migrate(*database));
  CARAT_TRY(WriterLock writers, WriterLock::take(path.string() + ".writers", new_writer(random)));
  auto store = std::make_unique<SqliteStore>(std::move(database), std::move(writers), clock, random,
                                             options.blob_quota);
  CARAT_TRY_VOID(store->recover());
  return store;
}

}  // namespace carat::store
