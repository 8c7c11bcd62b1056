#include "store/sqlite_blobs.h"

#include "store/names.h"

namespace carat::store {

Result<BlobInfo> SqliteBlobs::put(const OwnerId& owner, const std::string& media_type,
                                  std::span<const std::byte> data) {
  CARAT_TRY_VOID(check_owner(owner));
  CARAT_TRY_VOID(check_name("media type", media_type, kMostNameBytes));
  if (data.size() > kMostBytes) {
    return fail(ErrorKind::kQuota, "the file has {} bytes, at most {} are stored", data.size(), kMostBytes);
  }
  BlobInfo info{sha256(data), media_type, static_cast<std::int64_t>(data.size())};
  CARAT_TRY(Transaction transaction, Transaction::begin(db_));
  // Of bytes that are there already, the time without a message begins anew.
  CARAT_TRY(const std::int64_t known,
            db_.change("UPDATE blobs SET created_us = ?3 WHERE owner_id = ?1 AND digest = ?2", owner,
                       info.digest, context_.clock.now()));
  if (known != 0) {
    CARAT_TRY(info.media_type, known_type(owner, info.digest));
    CARAT_TRY_VOID(transaction.commit());
    return info;
  }
  CARAT_TRY(const std::int64_t used, used_bytes(owner));
  if (info.size > context_.blob_quota - used) {
    return fail(ErrorKind::kQuota, "the file has {} bytes, but {} of the {} that are allowed are in use",
                info.size, used, context_.blob_quota);
  }
  CARAT_TRY_VOID(
      db_.change("INSERT INTO blobs (owner_id, digest, media_type, size, created_us, data) VALUES (?1, ?2, "
                 "?3, ?4, ?5, ?6)",
                 owner, info.digest, media_type, info.size, context_.clock.now(), data));
  CARAT_TRY_VOID(transaction.commit());
  return info;
}

Result<std::string> SqliteBlobs::known_type(const OwnerId& owner, const Sha256Digest& digest) {
  Query query = db_.query("SELECT media_type FROM blobs WHERE owner_id = ?1 AND digest = ?2", owner, digest);
  CARAT_TRY(const bool found, query.next());
  return found ? query.text(0) : std::string();
}

Result<Blob> SqliteBlobs::get(const OwnerId& owner, const Sha256Digest& digest) {
  Query query =
      db_.query("SELECT media_type, data FROM blobs WHERE owner_id = ?1 AND digest = ?2", owner, digest);
  CARAT_TRY(const bool found, query.next());
  if (!found) return fail(ErrorKind::kNotFound, "no such blob");
  const std::span<const std::byte> data = query.bytes(1);
  if (sha256(data) != digest) return std::unexpected(db_.damaged("a blob has not the bytes of its digest"));
  return Blob{{digest, query.text(0), static_cast<std::int64_t>(data.size())}, {data.begin(), data.end()}};
}

Result<std::int64_t> SqliteBlobs::used_bytes(const OwnerId& owner) {
  return db_.number("SELECT coalesce(sum(size), 0) FROM blobs WHERE owner_id = ?1", owner);
}

}  // namespace carat::store
