#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/settings_table.h"

namespace carat::config {

// std::monostate: the setting has no value, and whoever uses it decides.
using Value = std::variant<std::monostate, std::string, std::int64_t, double, bool>;

// Where a value came from, in rising precedence.
enum class Origin : std::uint8_t { kDefault, kFile, kEnvironment, kFlag };

// The values of all settings. Values always have the type and range that the table states.
class Settings {
 public:
  struct Entry {
    Value value;
    Origin origin = Origin::kDefault;
    std::string where;  // "default", "/home/a/.config/carat/config.toml:3", "CARAT_SEED", "--seed"
  };

  const Entry& entry(Setting setting) const { return entries_[static_cast<std::size_t>(setting)]; }
  void set(Setting setting, Entry entry) { entries_[static_cast<std::size_t>(setting)] = std::move(entry); }

  // By type; asking a setting for another type than its own is our bug.
  std::string text(Setting setting) const;  // kText and kChoice; empty when there is no value
  std::optional<std::int64_t> integer(Setting setting) const;
  double real(Setting setting) const;
  std::vector<std::string> list(Setting setting) const;  // of a setting that is_list(); no item is empty
  bool is_on(Setting setting) const;

 private:
  std::array<Entry, kSettingCount> entries_;
};

// Everything that can give a setting a value.
struct Sources {
  std::string file_name;                                         // for messages
  std::optional<std::string> file_text;                          // TOML; nullopt when there is no file
  std::vector<std::pair<std::string, std::string>> environment;  // all variables, others than CARAT_* too
  std::vector<std::pair<Setting, std::string>> flags;            // as typed
};

struct Resolution {
  Settings settings;
  std::vector<std::string> warnings;  // a sentence each
};

// Defaults, then the file, then the environment, then flags. kUsage, naming the place and what was expected,
// for a file that is no TOML or has an unknown key, and for a value that is not what its setting needs. An
// unknown CARAT_* variable is only warned about: other programs may use it. Empty variables count as absent.
Result<Resolution> resolve(const Sources& sources);

// What the setting makes of a text: a flag, a variable, or what a person typed. The error starts with
// `where`.
Result<Value> parse_value(const SettingInfo& setting, const std::string& text, const std::string& where);

// For people: "0.95", "on", "not set".
std::string to_text(const Value& value);

}  // namespace carat::config
