#pragma once

#include <string>

#include "store/idempotency_store.h"
#include "store/sqlite_context.h"

namespace carat::store {

class SqliteIdempotency final : public IdempotencyStore {
 public:
  explicit SqliteIdempotency(const SqliteContext& context) : context_(context), db_(context.database) {}

  Result<IdempotencyClaim> claim(const OwnerId& owner, const std::string& key, const Sha256Digest& request,
                                 std::chrono::seconds lifetime) override;
  Result<> finish(const OwnerId& owner, const std::string& key, const std::string& response_id) override;
  Result<> abandon(const OwnerId& owner, const std::string& key) override;

 private:
  Result<IdempotencyClaim> look_up(const OwnerId& owner, const std::string& key, const Sha256Digest& request,
                                   WallTime now);

  SqliteContext context_;
  Database& db_;
};

}  // namespace carat::store
