#pragma once

#include <vector>

#include "store/key_store.h"
#include "store/sqlite_context.h"

namespace carat::store {

class SqliteKeys final : public KeyStore {
 public:
  explicit SqliteKeys(const SqliteContext& context) : context_(context), db_(context.database) {}

  Result<CreatedKey> add(const NewKey& key) override;
  Result<std::vector<ApiKey>> list() override;
  Result<ApiKey> revoke(std::string_view id_or_name) override;
  Result<ApiKey> find(std::string_view secret) override;
  Result<std::vector<KeyInUse>> in_use() override;
  Result<std::int64_t> version() override;
  Result<DayUsage> usage(const Uuid& key) override;
  Result<DayUsage> record_use(const Uuid& key, const KeyUsage& use) override;

 private:
  Result<ApiKey> read(const Query& row) const;
  Result<ApiKey> find_in_use(std::string_view id_or_name);

  SqliteContext context_;
  Database& db_;
};

}  // namespace carat::store
