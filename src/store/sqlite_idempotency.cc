#include "store/sqlite_idempotency.h"

#include "store/names.h"
#include "store/row_reader.h"

namespace carat::store {

using State = IdempotencyClaim::State;

// kNew where nothing stands in the way of a claim.
Result<IdempotencyClaim> SqliteIdempotency::look_up(const OwnerId& owner, const std::string& key,
                                                    const Sha256Digest& request, WallTime now) {
  Query query = db_.query(
      "SELECT request_hash, response_id, writer FROM idempotency "
      "WHERE owner_id = ?1 AND key = ?2 AND expires_us > ?3",
      owner, key, now);
  CARAT_TRY(const bool found, query.next());
  if (!found) return IdempotencyClaim{};
  RowReader reader(db_, query);
  const Sha256Digest claimed = reader.digest();
  const auto response = reader.maybe(&RowReader::text);
  const auto writer = reader.maybe(&RowReader::integer);
  CARAT_TRY_VOID(reader.check());
  if (response && claimed == request) return IdempotencyClaim{State::kDone, *response};
  if (!response) {
    CARAT_TRY(const bool alive, context_.writers.is_alive(writer.value_or(-1)));
    if (!alive) return IdempotencyClaim{};
  }
  if (claimed == request) return IdempotencyClaim{State::kRunning};
  return fail(ErrorKind::kConflict, "this idempotency key was used for a request with other content");
}

Result<IdempotencyClaim> SqliteIdempotency::claim(const OwnerId& owner, const std::string& key,
                                                  const Sha256Digest& request,
                                                  std::chrono::seconds lifetime) {
  CARAT_TRY_VOID(check_owner(owner));
  CARAT_TRY_VOID(check_name("idempotency key", key, kMostKeyBytes));
  const WallTime now = context_.clock.now();
  CARAT_TRY(Transaction transaction, Transaction::begin(db_));
  CARAT_TRY(const IdempotencyClaim claim, look_up(owner, key, request, now));
  if (claim.state != State::kNew) return claim;
  CARAT_TRY_VOID(db_.change(
      "INSERT OR REPLACE INTO idempotency (owner_id, key, request_hash, writer, created_us, expires_us) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
      owner, key, request, context_.writers.writer(), now, now + lifetime));
  CARAT_TRY_VOID(transaction.commit());
  return claim;
}

Result<> SqliteIdempotency::finish(const OwnerId& owner, const std::string& key,
                                   const std::string& response_id) {
  CARAT_TRY_VOID(check_name("response id", response_id, kMostResponseIdBytes));
  CARAT_TRY(const std::int64_t changed, db_.change("UPDATE idempotency SET response_id = ?3, writer = NULL "
                                                   "WHERE owner_id = ?1 AND key = ?2 AND response_id IS NULL",
                                                   owner, key, response_id));
  if (changed == 0) return fail(ErrorKind::kNotFound, "no such idempotency key is in use");
  return {};
}

Result<> SqliteIdempotency::abandon(const OwnerId& owner, const std::string& key) {
  CARAT_TRY(const std::int64_t changed,
            db_.change("DELETE FROM idempotency WHERE owner_id = ?1 AND key = ?2 AND response_id IS NULL",
                       owner, key));
  if (changed == 0) return fail(ErrorKind::kNotFound, "no such idempotency key is in use");
  return {};
}

}  // namespace carat::store
