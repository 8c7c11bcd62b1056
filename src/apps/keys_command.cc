#include <boost/json.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/commands.h"
#include "apps/open_store.h"
#include "base/utc_text.h"
#include "store/store.h"
#include "terminal/printable.h"

namespace carat::apps {
namespace {

namespace json = boost::json;
using store::ApiKey;

struct AddFlags {
  store::NewKey key;
  std::string scopes = "inference";
  bool as_json = false;
};

struct ListFlags {
  bool as_json = false;
  bool all = false;
};

struct RevokeFlags {
  std::string key;
  bool as_json = false;
};

// "2025-06-15T12:26:40Z"; nothing where it never happened.
std::string date(const std::optional<WallTime>& time) {
  return time ? utc_text(std::chrono::floor<std::chrono::seconds>(*time)) : std::string();
}

template <class T>
json::value value_or_null(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value();
}

json::value date_or_null(const std::optional<WallTime>& time) {
  return time ? json::value(date(time)) : json::value();
}

json::object to_json(const ApiKey& key, const store::KeyUsage& today) {
  json::array scopes;
  for (std::size_t i = 0; i < std::size(store::kKeyScopeNames); ++i) {
    if ((key.scopes.bits >> i & 1U) != 0) scopes.push_back(json::string(store::kKeyScopeNames[i]));
  }
  return {{"id", to_string(key.id)},
          {"name", key.name},
          {"owner", key.owner},
          {"hint", key.hint},
          {"scopes", std::move(scopes)},
          {"requests_per_minute", value_or_null(key.limits.requests_per_minute)},
          {"concurrent_requests", value_or_null(key.limits.concurrent_requests)},
          {"tokens_per_minute", value_or_null(key.limits.tokens_per_minute)},
          {"tokens_per_day", value_or_null(key.limits.tokens_per_day)},
          {"used_today", {{"requests", today.requests}, {"tokens", today.tokens}}},
          {"created", date(key.created)},
          {"last_used", date_or_null(key.last_used)},
          {"revoked", date_or_null(key.revoked)}};
}

Result<std::unique_ptr<store::Store>> key_store(const Runtime& runtime) {
  CARAT_TRY(auto store, open_store(runtime));
  if (store == nullptr) return fail(ErrorKind::kUsage, "--store none: there are no keys without a store");
  return store;
}

Result<> add_key(const Runtime& runtime, AddFlags flags) {
  const auto scopes = store::parse_key_scopes(flags.scopes);
  if (!scopes) {
    return fail(ErrorKind::kUsage, "--scopes: expected some of {}, separated by commas, found '{}'",
                fmt::join(store::kKeyScopeNames, ", "), flags.scopes);
  }
  flags.key.scopes = *scopes;
  CARAT_TRY(const auto store, key_store(runtime));
  CARAT_TRY(const store::CreatedKey made, store->keys().add(flags.key));
  if (flags.as_json) {
    json::object out = to_json(made.key, {});
    out["key"] = made.secret;
    return print(json::serialize(out) + "\n");
  }
  note(fmt::format("key '{}' made; this is the only time that it is shown", made.key.name));
  return print(made.secret + "\n");
}

std::string limit_text(const store::KeyLimits& limits) {
  std::string text;
  const auto add = [&](const std::optional<std::int64_t>& limit, const char* what) {
    if (limit) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", *limit, what);
  };
  add(limits.requests_per_minute, "requests/min");
  add(limits.concurrent_requests, "at once");
  add(limits.tokens_per_minute, "tokens/min");
  add(limits.tokens_per_day, "tokens/day");
  return text.empty() ? "none" : text;
}

struct ListedKey {
  ApiKey key;
  store::KeyUsage today;
};

Result<std::vector<ListedKey>> listed_keys(store::KeyStore& store, bool all) {
  CARAT_TRY(const std::vector<ApiKey> keys, store.list());
  std::vector<ListedKey> listed;
  for (const ApiKey& key : keys) {
    if (key.revoked && !all) continue;
    CARAT_TRY(const store::DayUsage today, store.usage(key.id));
    listed.push_back({key, today.usage});
  }
  return listed;
}

std::string usage_text(const store::KeyUsage& usage) {
  return fmt::format("{} requests, {} tokens", usage.requests, usage.tokens);
}

std::string listing_text(const std::vector<ListedKey>& keys) {
  std::string out = fmt::format("{:<20}{:<20}{:<12}{:<22}{:<22}{:<28}{}\n", "name", "owner", "key", "scopes",
                                "last used", "today (UTC)", "limits");
  for (const auto& [key, today] : keys) {
    const std::string used = key.revoked ? "revoked" : key.last_used ? date(key.last_used) : "never";
    out += fmt::format("{:<20}{:<20}{:<12}{:<22}{:<22}{:<28}{}\n", terminal::printable_line(key.name),
                       terminal::printable_line(key.owner), terminal::printable_line(key.hint),
                       store::to_text(key.scopes), used, usage_text(today), limit_text(key.limits));
  }
  return out;
}

Result<> list_keys(const Runtime& runtime, const ListFlags& flags) {
  CARAT_TRY(const auto store, key_store(runtime));
  CARAT_TRY(const std::vector<ListedKey> keys, listed_keys(store->keys(), flags.all));
  if (!flags.as_json) return print(listing_text(keys));
  json::array rows;
  for (const auto& [key, today] : keys) rows.push_back(to_json(key, today));
  return print(json::serialize(json::object{{"keys", std::move(rows)}}) + "\n");
}

Result<> revoke_key(const Runtime& runtime, const RevokeFlags& flags) {
  CARAT_TRY(const auto store, key_store(runtime));
  CARAT_TRY(const ApiKey key, store->keys().revoke(flags.key));
  CARAT_TRY(const store::DayUsage today, store->keys().usage(key.id));
  if (flags.as_json) return print(json::serialize(to_json(key, today.usage)) + "\n");
  return print(fmt::format("key '{}' is revoked\n", key.name));
}

void add_add_command(CommandLine& line, CLI::App& keys) {
  auto flags = std::make_shared<AddFlags>();
  CLI::App& add =
      line.add_below(keys, "add", "Make a key and print it, this once.", {config::SettingGroup::kStore},
                     [flags](Runtime& runtime) { return add_key(runtime, *flags); });
  add.add_option("name", flags->key.name, "what to call it")->required();
  add.add_option("--owner", flags->key.owner, "whose conversations it opens (default: the name)");
  add.add_option("--scopes", flags->scopes, "what it may do: inference, metrics, admin")
      ->capture_default_str();
  add.add_option("--requests-per-minute", flags->key.limits.requests_per_minute, "most requests in a minute");
  add.add_option("--concurrent-requests", flags->key.limits.concurrent_requests, "most requests at a time");
  add.add_option("--tokens-per-minute", flags->key.limits.tokens_per_minute, "most tokens in a minute");
  add.add_option("--tokens-per-day", flags->key.limits.tokens_per_day, "most tokens in a day (UTC)");
  add.add_flag("--json", flags->as_json, "print one JSON object");
}

}  // namespace

void add_keys_command(CommandLine& line) {
  CLI::App& keys = line.add("keys", "The API keys of carat serve.", {}, {});
  keys.require_subcommand(1);
  add_add_command(line, keys);

  auto list_flags = std::make_shared<ListFlags>();
  CLI::App& list = line.add_below(keys, "list", "List the keys, of which the first characters are known.",
                                  {config::SettingGroup::kStore},
                                  [list_flags](Runtime& runtime) { return list_keys(runtime, *list_flags); });
  list.add_flag("--json", list_flags->as_json, "print one JSON object");
  list.add_flag("--all", list_flags->all, "list revoked keys too");

  auto revoke_flags = std::make_shared<RevokeFlags>();
  CLI::App& revoke =
      line.add_below(keys, "revoke", "Make a key useless, at once.", {config::SettingGroup::kStore},
                     [revoke_flags](Runtime& runtime) { return revoke_key(runtime, *revoke_flags); });
  revoke.add_option("key", revoke_flags->key, "its name or id")->required();
  revoke.add_flag("--json", revoke_flags->as_json, "print one JSON object");
}

}  // namespace carat::apps
