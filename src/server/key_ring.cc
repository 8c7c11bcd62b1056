#include "server/key_ring.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>

#include "base/constant_time.h"

namespace carat::server {
namespace {

constexpr std::size_t kLeastKeyLength = 16;
constexpr std::string_view kHashPrefix = "sha256:";
constexpr std::string_view kBlanks = " \t\r";

Sha256Digest hash_of(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::optional<Sha256Digest> parse_digest(std::string_view text) {
  Sha256Digest digest = {};
  if (text.size() != digest.size() * 2) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = hex_digit(text[i]);
    if (!digit) return std::nullopt;
    digest[i / 2] = digest[i / 2] << 4 | static_cast<std::byte>(*digit);
  }
  return digest;
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Where a line of a key file stands, for messages.
struct Place {
  const std::string& source;
  std::size_t line;
};

Result<Sha256Digest> parse_key(const Place& place, std::string_view word) {
  if (word.starts_with(kHashPrefix)) {
    if (const auto digest = parse_digest(word.substr(kHashPrefix.size()))) return *digest;
    return fail(ErrorKind::kUsage, "{}:{}: expected {} and 64 hexadecimal digits", place.source, place.line,
                kHashPrefix);
  }
  const bool is_printable = std::ranges::all_of(word, [](char c) { return c > ' ' && c < '\x7F'; });
  if (word.size() >= kLeastKeyLength && is_printable) return hash_of(word);
  return fail(ErrorKind::kUsage, "{}:{}: a key needs {} or more characters of printable ASCII without blanks",
              place.source, place.line, kLeastKeyLength);
}

Result<store::KeyScopes> parse_scopes(const Place& place, std::string_view text) {
  if (text.empty()) return store::KeyScopes{std::to_underlying(store::KeyScope::kInference)};
  if (const auto scopes = store::parse_key_scopes(text)) return *scopes;
  return fail(ErrorKind::kUsage, "{}:{}: after the key, expected some of {}, separated by commas",
              place.source, place.line, fmt::join(store::kKeyScopeNames, ", "));
}

Result<KeyRing::Entry> parse_line(const Place& place, std::string_view line) {
  const std::size_t blank = std::min(line.find_first_of(kBlanks), line.size());
  CARAT_TRY(const Sha256Digest hash, parse_key(place, line.substr(0, blank)));
  CARAT_TRY(const store::KeyScopes scopes, parse_scopes(place, trim(line.substr(blank))));
  // The hash of the hash: an owner's name tells nothing that would help to find the key.
  std::string owner = "key:" + to_hex(sha256(hash)).substr(0, 32);
  return KeyRing::Entry{
      hash, std::make_shared<KeyHolder>(KeyHolder{.name = owner,
                                                  .owner = owner,
                                                  .scopes = scopes,
                                                  .meter = std::make_shared<KeyMeter>(store::KeyLimits{})})};
}

}  // namespace

std::shared_ptr<const KeyHolder> KeyRing::find(std::string_view key) const {
  const Sha256Digest hash = hash_of(key);
  std::shared_ptr<const KeyHolder> found;
  for (const Entry& entry : entries_) {
    if (equal_in_constant_time(entry.hash, hash)) found = entry.holder;
  }
  return found;
}

Result<std::shared_ptr<const KeyRing>> parse_key_file(const std::string& source, std::string_view text) {
  std::vector<KeyRing::Entry> entries;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    CARAT_TRY(entries.emplace_back(), parse_line({source, number}, line));
  }
  if (entries.empty())
    return fail(ErrorKind::kUsage, "{}: expected API keys, one a line, found none", source);
  return std::make_shared<const KeyRing>(std::move(entries));
}

std::shared_ptr<const KeyRing> make_key_ring(const std::vector<store::KeyInUse>& keys,
                                             const KeyRing& before) {
  std::map<Uuid, std::shared_ptr<KeyMeter>> meters;
  for (const KeyRing::Entry& entry : before.entries()) {
    if (entry.holder->id) meters.emplace(*entry.holder->id, entry.holder->meter);
  }
  std::vector<KeyRing::Entry> entries;
  for (const store::KeyInUse& in_use : keys) {
    const store::ApiKey& key = in_use.key;
    std::shared_ptr<KeyMeter>& meter = meters[key.id];
    if (meter == nullptr) meter = std::make_shared<KeyMeter>(key.limits);
    meter->set_limits(key.limits);
    meter->set_recorded(in_use.today, {});
    entries.push_back(
        {in_use.secret_hash,
         std::make_shared<KeyHolder>(KeyHolder{
             .name = key.name, .owner = key.owner, .scopes = key.scopes, .meter = meter, .id = key.id})});
  }
  return std::make_shared<const KeyRing>(std::move(entries));
}

}  // namespace carat::server
