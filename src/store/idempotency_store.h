#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/sha256.h"
#include "store/conversation_store.h"

namespace carat::store {

struct IdempotencyClaim {
  enum class State {
    kNew,      // claimed by this call: finish() or abandon() it
    kRunning,  // the same request is being answered
    kDone,     // and was answered by response_id
  };
  State state = State::kNew;
  std::string response_id = {};
};

// Remembers which request an idempotency key stood for, so that a client that tries again gets the first
// answer instead of a second one. Claims of a process that ended are free again.
class IdempotencyStore {
 public:
  static constexpr std::size_t kMostKeyBytes = 255;
  static constexpr std::size_t kMostResponseIdBytes = 255;

  virtual ~IdempotencyStore() = default;

  // kConflict when the key stands for a request with another hash; kQuota for a key that is too long.
  virtual Result<IdempotencyClaim> claim(const OwnerId& owner, const std::string& key,
                                         const Sha256Digest& request, std::chrono::seconds lifetime) = 0;
  // kNotFound without a running claim.
  virtual Result<> finish(const OwnerId& owner, const std::string& key, const std::string& response_id) = 0;
  // After a failure: the key may be used again at once.
  virtual Result<> abandon(const OwnerId& owner, const std::string& key) = 0;
};

}  // namespace carat::store
