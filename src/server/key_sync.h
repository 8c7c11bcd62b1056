#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "server/access.h"
#include "store/store_thread.h"

namespace carat::server {

// Keeps the keys that a server knows as the store has them, whoever changes them there, and records in it
// what they are used for. Everything happens on the store's thread.
class KeySync {
 public:
  // `on_failure`: on the store's thread, once for each failure that is not the same as the one before.
  KeySync(Access& access, store::StoreThread& store, std::function<void(const Error&)> on_failure);
  ~KeySync();  // waits for the store's thread
  KeySync(const KeySync&) = delete;
  KeySync& operator=(const KeySync&) = delete;

  // Asks the store's thread to look, unless it is about to. To be called every second or so.
  void tick();

  // The same, and waits for it: kFailed and kin where the keys cannot be read.
  Result<> sync();

 private:
  Result<> sync_on_store(store::Store& store);
  Result<> record_uses(store::KeyStore& keys);
  Result<> read_keys(store::KeyStore& keys);
  void report(const Result<>& result);

  Access& access_;
  store::StoreThread& store_;
  const std::function<void(const Error&)> on_failure_;
  std::atomic<bool> is_asked_ = false;
  // Of the store's thread.
  std::optional<std::int64_t> version_;  // of the keys that are known
  std::string last_failure_;
};

}  // namespace carat::server
