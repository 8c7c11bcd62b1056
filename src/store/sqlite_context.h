#pragma once

#include <cstdint>

#include "base/random_bytes.h"
#include "base/uuid.h"
#include "base/wall_clock.h"
#include "store/database.h"
#include "store/writer_lock.h"

namespace carat::store {

// What the parts of one SQLite store share; the store outlives them.
struct SqliteContext {
  Database& database;
  const WallClock& clock;
  RandomBytes random;
  UuidSource& ids;
  const WriterLock& writers;
  std::int64_t blob_quota = 0;  // bytes of one owner
};

}  // namespace carat::store
