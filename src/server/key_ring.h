#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"
#include "base/uuid.h"
#include "server/key_meter.h"
#include "store/key_store.h"

namespace carat::server {

// Whom a key belongs to, and what it may do.
struct KeyHolder {
  std::string name;   // for logs; says nothing of the key
  std::string owner;  // whose conversations it opens
  store::KeyScopes scopes;
  std::shared_ptr<KeyMeter> meter;  // never null
  std::optional<Uuid> id = {};      // of a key of the store
};

// API keys, by their hashes. Immutable.
class KeyRing {
 public:
  struct Entry {
    Sha256Digest hash;
    std::shared_ptr<const KeyHolder> holder;
  };
  KeyRing() = default;  // no keys
  explicit KeyRing(std::vector<Entry> entries) : entries_(std::move(entries)) {}

  // Null: the key is none of these. Takes the same time for all that are not.
  std::shared_ptr<const KeyHolder> find(std::string_view key) const;

  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

// The keys of a text: one a line, either itself (16 characters or more) or as "sha256:" and the 64 digits of
// its hash, and after a blank its scopes, "inference,metrics"; without them it is for inference. Empty lines
// and lines that begin with # are passed over. kUsage, naming the line, for anything else and where there is
// no key. `source` begins the messages.
Result<std::shared_ptr<const KeyRing>> parse_key_file(const std::string& source, std::string_view text);

// The store's keys in use. Those that were in `before` keep their meters.
std::shared_ptr<const KeyRing> make_key_ring(const std::vector<store::KeyInUse>& keys, const KeyRing& before);

}  // namespace carat::server
