#include "store/sqlite_keys.h"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/constant_time.h"
#include "base/sha256.h"
#include "store/names.h"
#include "store/row_reader.h"

namespace carat::store {
namespace {

constexpr std::string_view kPrefix = "carat_";
constexpr std::size_t kHintDigits = 4;
constexpr std::string_view kColumns =
    "id, owner_id, name, hint, scopes, requests_per_minute, concurrent_requests, tokens_per_minute, "
    "tokens_per_day, created_us, last_used_us, revoked_us";
constexpr int kHashColumn = 12;  // where it follows those

Sha256Digest hash_of(std::string_view secret) { return sha256(std::as_bytes(std::span(secret))); }

std::int64_t day_of(WallTime time) {
  return std::chrono::floor<std::chrono::days>(time).time_since_epoch().count();
}

std::unexpected<Error> no_such_key() { return fail(ErrorKind::kNotFound, "no such key is in use"); }

// Sixty-four hexadecimal digits for 256 random bits.
std::string new_secret(const RandomBytes& random) {
  Sha256Digest bits = {};
  random(bits);
  return std::string(kPrefix) + to_hex(bits);
}

Result<> check_limit(std::string_view name, std::optional<std::int64_t> limit) {
  if (!limit || *limit >= 1) return {};
  return fail(ErrorKind::kUsage, "{}: expected 1 or more, found {}", name, *limit);
}

Result<> check(const NewKey& key, const OwnerId& owner) {
  CARAT_TRY_VOID(check_name("key name", key.name, KeyStore::kMostNameBytes));
  CARAT_TRY_VOID(check_owner(owner));
  const auto scopes = parse_key_scopes(to_text(key.scopes));
  if (!scopes || scopes->bits != key.scopes.bits) return fail(ErrorKind::kUsage, "a key needs a scope");
  CARAT_TRY_VOID(check_limit("requests per minute", key.limits.requests_per_minute));
  CARAT_TRY_VOID(check_limit("concurrent requests", key.limits.concurrent_requests));
  CARAT_TRY_VOID(check_limit("tokens per minute", key.limits.tokens_per_minute));
  return check_limit("tokens per day", key.limits.tokens_per_day);
}

}  // namespace

Result<CreatedKey> SqliteKeys::add(const NewKey& key) {
  const OwnerId owner = key.owner.empty() ? key.name : key.owner;
  CARAT_TRY_VOID(check(key, owner));
  CreatedKey made;
  made.secret = new_secret(context_.random);
  made.key = {.id = context_.ids.next(),
              .owner = owner,
              .name = key.name,
              .hint = made.secret.substr(0, kPrefix.size() + kHintDigits),
              .scopes = key.scopes,
              .limits = key.limits,
              .created = context_.clock.now(),
              .last_used = {},
              .revoked = {}};
  CARAT_TRY(Transaction transaction, Transaction::begin(db_));
  CARAT_TRY(const std::int64_t same,
            db_.number("SELECT count(*) FROM api_keys WHERE name = ?1 AND revoked_us IS NULL", key.name));
  if (same != 0) return fail(ErrorKind::kConflict, "a key named '{}' is in use; revoke it first", key.name);
  CARAT_TRY_VOID(db_.change(
      "INSERT INTO api_keys (id, owner_id, name, hint, secret_hash, scopes, requests_per_minute, "
      "concurrent_requests, tokens_per_minute, tokens_per_day, created_us) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
      made.key.id, owner, key.name, made.key.hint, hash_of(made.secret), std::int64_t{key.scopes.bits},
      key.limits.requests_per_minute, key.limits.concurrent_requests, key.limits.tokens_per_minute,
      key.limits.tokens_per_day, made.key.created));
  CARAT_TRY_VOID(transaction.commit());
  return made;
}

Result<ApiKey> SqliteKeys::read(const Query& row) const {
  RowReader reader(db_, row);
  ApiKey key;
  key.id = reader.uuid();
  key.owner = reader.text();
  key.name = reader.text();
  key.hint = reader.text();
  const std::int64_t scopes = reader.integer();
  if (scopes < 0 || scopes > std::numeric_limits<std::uint32_t>::max())
    reader.wrong("a key has unknown scopes");
  key.scopes.bits = static_cast<std::uint32_t>(scopes);
  key.limits.requests_per_minute = reader.maybe(&RowReader::integer);
  key.limits.concurrent_requests = reader.maybe(&RowReader::integer);
  key.limits.tokens_per_minute = reader.maybe(&RowReader::integer);
  key.limits.tokens_per_day = reader.maybe(&RowReader::integer);
  key.created = reader.time();
  key.last_used = reader.maybe(&RowReader::time);
  key.revoked = reader.maybe(&RowReader::time);
  CARAT_TRY_VOID(reader.check());
  return key;
}

Result<std::vector<ApiKey>> SqliteKeys::list() {
  std::vector<ApiKey> keys;
  Query query = db_.query(fmt::format("SELECT {} FROM api_keys ORDER BY created_us, id", kColumns));
  while (true) {
    CARAT_TRY(const bool more, query.next());
    if (!more) return keys;
    CARAT_TRY(ApiKey key, read(query));
    keys.push_back(std::move(key));
  }
}

Result<ApiKey> SqliteKeys::find_in_use(std::string_view id_or_name) {
  Query query =
      db_.query(fmt::format("SELECT {} FROM api_keys WHERE (id = ?1 OR name = ?2) AND revoked_us IS NULL "
                            "ORDER BY name = ?2 DESC",
                            kColumns),
                parse_uuid(id_or_name), id_or_name);
  CARAT_TRY(const bool found, query.next());
  if (!found) return no_such_key();
  return read(query);
}

Result<ApiKey> SqliteKeys::revoke(std::string_view id_or_name) {
  CARAT_TRY(Transaction transaction, Transaction::begin(db_));
  CARAT_TRY(ApiKey key, find_in_use(id_or_name));
  key.revoked = context_.clock.now();
  CARAT_TRY_VOID(db_.change("UPDATE api_keys SET revoked_us = ?2 WHERE id = ?1", key.id, key.revoked));
  CARAT_TRY_VOID(transaction.commit());
  return key;
}

Result<ApiKey> SqliteKeys::find(std::string_view secret) {
  const Sha256Digest hash = hash_of(secret);
  Query query = db_.query(
      fmt::format("SELECT {}, secret_hash FROM api_keys WHERE secret_hash = ?1 AND revoked_us IS NULL",
                  kColumns),
      hash);
  CARAT_TRY(const bool found, query.next());
  // The index has compared already, but of hashes, about which a secret's sender can choose nothing.
  if (!found || !equal_in_constant_time(query.bytes(kHashColumn), hash)) return no_such_key();
  return read(query);
}

Result<std::vector<KeyInUse>> SqliteKeys::in_use() {
  std::vector<KeyInUse> keys;
  Query query = db_.query(fmt::format(
      "SELECT {}, secret_hash FROM api_keys WHERE revoked_us IS NULL ORDER BY created_us, id", kColumns));
  while (true) {
    CARAT_TRY(const bool more, query.next());
    if (!more) return keys;
    KeyInUse& found = keys.emplace_back();
    CARAT_TRY(found.key, read(query));
    const std::span<const std::byte> hash = query.bytes(kHashColumn);
    if (hash.size() != found.secret_hash.size()) return std::unexpected(db_.damaged("a key has no hash"));
    std::ranges::copy(hash, found.secret_hash.begin());
    CARAT_TRY(found.today, usage(found.key.id));
  }
}

Result<std::int64_t> SqliteKeys::version() { return db_.number("PRAGMA data_version"); }

Result<DayUsage> SqliteKeys::usage(const Uuid& key) {
  DayUsage today{.day = day_of(context_.clock.now()), .usage = {}};
  CARAT_TRY(today.usage.requests,
            db_.number("SELECT requests FROM key_usage WHERE key_id = ?1 AND day = ?2", key, today.day));
  CARAT_TRY(today.usage.tokens,
            db_.number("SELECT tokens FROM key_usage WHERE key_id = ?1 AND day = ?2", key, today.day));
  return today;
}

Result<DayUsage> SqliteKeys::record_use(const Uuid& key, const KeyUsage& use) {
  CARAT_CHECK(use.requests >= 0 && use.tokens >= 0);
  const WallTime now = context_.clock.now();
  CARAT_TRY(Transaction transaction, Transaction::begin(db_));
  CARAT_TRY(
      const std::int64_t known,
      db_.change("UPDATE api_keys SET last_used_us = ?2 WHERE id = ?1 AND revoked_us IS NULL", key, now));
  if (known == 0) return no_such_key();
  CARAT_TRY_VOID(db_.change(
      "INSERT INTO key_usage (key_id, day, requests, tokens) VALUES (?1, ?2, ?3, ?4) "
      "ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, tokens = tokens + excluded.tokens",
      key, day_of(now), use.requests, use.tokens));
  CARAT_TRY(const DayUsage today, usage(key));
  CARAT_TRY_VOID(transaction.commit());
  return today;
}

}  // namespace carat::store
