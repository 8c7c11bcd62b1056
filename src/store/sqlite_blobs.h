#pragma once

#include <string>

#include "store/blob_store.h"
#include "store/sqlite_context.h"

namespace carat::store {

class SqliteBlobs final : public BlobStore {
 public:
  explicit SqliteBlobs(const SqliteContext& context) : context_(context), db_(context.database) {}

  Result<BlobInfo> put(const OwnerId& owner, const std::string& media_type,
                       std::span<const std::byte> data) override;
  Result<Blob> get(const OwnerId& owner, const Sha256Digest& digest) override;
  Result<std::int64_t> used_bytes(const OwnerId& owner) override;

 private:
  Result<std::string> known_type(const OwnerId& owner, const Sha256Digest& digest);

  SqliteContext context_;
  Database& db_;
};

}  // namespace carat::store
