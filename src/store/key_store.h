#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"
#include "base/uuid.h"
#include "store/conversation_store.h"

namespace carat::store {

// What a key may do, one bit each.
enum class KeyScope : std::uint32_t {
  kInference = 1,  // answers, and the owner's own conversations and responses
  kMetrics = 2,    // /metrics
  kAdmin = 4,      // pull, delete and copy models, keys; and everything above
};
struct KeyScopes {
  std::uint32_t bits = 0;
  bool has(KeyScope scope) const;  // admin has all
};
inline constexpr std::string_view kKeyScopeNames[] = {"inference", "metrics", "admin"};

// "inference,metrics" and back; nullopt for an unknown name, a repeated one or none at all.
std::string to_text(KeyScopes scopes);
std::optional<KeyScopes> parse_key_scopes(std::string_view text);

// How much a key may ask for; none: no limit of its own.
struct KeyLimits {
  std::optional<std::int64_t> requests_per_minute = {};
  std::optional<std::int64_t> concurrent_requests = {};
  std::optional<std::int64_t> tokens_per_minute = {};
  std::optional<std::int64_t> tokens_per_day = {};
};

struct ApiKey {
  Uuid id;
  OwnerId owner;  // whose conversations it opens
  std::string name;
  std::string hint;  // the first characters of the secret
  KeyScopes scopes;
  KeyLimits limits;
  WallTime created;
  std::optional<WallTime> last_used;
  std::optional<WallTime> revoked;
};

struct NewKey {
  std::string name;
  OwnerId owner = {};  // empty: the name
  KeyScopes scopes = {static_cast<std::uint32_t>(KeyScope::kInference)};
  KeyLimits limits = {};
};

struct CreatedKey {
  ApiKey key;
  std::string secret;  // "carat_" and 64 hexadecimal digits; this is the only time that it is known
};

// What a key asked for.
struct KeyUsage {
  std::int64_t requests = 0;
  std::int64_t tokens = 0;
};

// The same on one UTC day.
struct DayUsage {
  std::int64_t day = 0;  // since 1970
  KeyUsage usage;
};

// A key as a server needs it that looks keys up itself.
struct KeyInUse {
  ApiKey key;
  Sha256Digest secret_hash = {};
  DayUsage today;
};

// API keys: 256 random bits each, of which only the SHA-256 is kept. A fast hash is right for these, unlike
// for passwords: nobody can try 2^256 of them.
class KeyStore {
 public:
  static constexpr std::size_t kMostNameBytes = 64;

  virtual ~KeyStore() = default;

  // kConflict when a key of that name is in use; kUsage for a bad name, owner, scope or limit.
  virtual Result<CreatedKey> add(const NewKey& key) = 0;
  virtual Result<std::vector<ApiKey>> list() = 0;      // oldest first, revoked ones included
  virtual Result<std::vector<KeyInUse>> in_use() = 0;  // oldest first

  // Another number than before when somebody else may have changed the keys. Cheap.
  virtual Result<std::int64_t> version() = 0;

  // What the key asked for today. No use is recorded for an unknown one.
  virtual Result<DayUsage> usage(const Uuid& key) = 0;

  // By id or name. kNotFound when there is no such key in use.
  virtual Result<ApiKey> revoke(std::string_view id_or_name) = 0;

  // The key with that secret; kNotFound when there is none or it was revoked, in the same words.
  virtual Result<ApiKey> find(std::string_view secret) = 0;

  // Dates the last use and adds to the day's numbers, which are returned.
  virtual Result<DayUsage> record_use(const Uuid& key, const KeyUsage& use) = 0;
};

}  // namespace carat::store
