#pragma once

#include <chrono>
#include <cstdint>

#include "base/result.h"
#include "store/blob_store.h"
#include "store/conversation_store.h"
#include "store/idempotency_store.h"
#include "store/key_store.h"
#include "store/response_store.h"

namespace carat::store {

struct SweepCounts {
  std::int64_t conversations = 0;
  std::int64_t responses = 0;
  std::int64_t idempotency_keys = 0;
  std::int64_t blobs = 0;
};

// What a server remembers. One thread at a time (see StoreThread); several processes may have the same store
// open. The calls wait for disks and other processes, so they never run on a thread that serves connections.
class Store {
 public:
  // Blobs that no message refers to are kept this long, for the message to arrive.
  static constexpr std::chrono::hours kUnusedBlobLifetime{1};

  virtual ~Store() = default;

  virtual ConversationStore& conversations() = 0;
  virtual BlobStore& blobs() = 0;
  virtual ResponseStore& responses() = 0;
  virtual IdempotencyStore& idempotency() = 0;
  virtual KeyStore& keys() = 0;

  // Deletes what has expired. To be called every few minutes.
  virtual Result<SweepCounts> sweep() = 0;
};

}  // namespace carat::store
