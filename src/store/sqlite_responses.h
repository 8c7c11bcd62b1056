#pragma once

#include <string>

#include "store/response_store.h"
#include "store/sqlite_context.h"

namespace carat::store {

class SqliteResponses final : public ResponseStore {
 public:
  explicit SqliteResponses(const SqliteContext& context) : context_(context), db_(context.database) {}

  Result<Response> get(const OwnerId& owner, const Uuid& id) override;
  Result<> set_body(const OwnerId& owner, const Uuid& id, const std::string& body) override;
  Result<> remove(const OwnerId& owner, const Uuid& id) override;

  // Removes those whose time is over, at most `limit`, inside the caller's transaction; how many.
  Result<std::int64_t> remove_expired(std::int64_t limit);

 private:
  // These run inside the caller's transaction.
  Result<> remove_with_messages(const OwnerId& owner, const Uuid& id);
  struct Leaf;
  Result<Leaf> look_at(const OwnerId& owner, const Uuid& message);

  SqliteContext context_;
  Database& db_;
};

}  // namespace carat::store
