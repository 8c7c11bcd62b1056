#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/random_bytes.h"
#include "base/result.h"
#include "base/wall_clock.h"
#include "store/database.h"
#include "store/store.h"

namespace carat::store {

struct SqliteStoreOptions {
  std::int64_t blob_quota = std::int64_t{1} << 30;  // bytes of one owner
  DatabaseOptions database = {};
};

// Opens the store in the file `path`, which is created, or brought to this version, where that is needed.
// Messages that a process left unfinished when it ended become interrupted. A file that is damaged, foreign
// or of a newer Carat is refused (kFailed) and stays as it is. `clock` must outlive the store.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path, const WallClock& clock,
                                                 const RandomBytes& random = system_random_bytes,
                                                 const SqliteStoreOptions& options = {});

// Where the store of this user lies, below the data directory.
inline constexpr const char* kStoreFileName = "carat.db";

}  // namespace carat::store
