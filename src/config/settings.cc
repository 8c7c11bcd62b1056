#include "config/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/nearest_name.h"
#include "config/settings_file.h"
#include "config/value_range.h"

namespace carat::config {
namespace {

constexpr std::string_view kVariablePrefix = "CARAT_";

std::optional<bool> parse_switch(std::string_view text) {
  for (const std::string_view word : {"true", "1", "on", "yes"}) {
    if (text == word) return true;
  }
  for (const std::string_view word : {"false", "0", "off", "no"}) {
    if (text == word) return false;
  }
  return std::nullopt;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

// The text as a value of the setting's type, ranges not yet checked.
std::optional<Value> convert(const SettingInfo& setting, const std::string& text) {
  switch (setting.type) {
    case SettingType::kText:
    case SettingType::kChoice: return Value(text);
    case SettingType::kInteger:
      if (const auto number = parse_number<std::int64_t>(text)) return Value(*number);
      return std::nullopt;
    case SettingType::kReal:
      if (const auto number = parse_number<double>(text)) return Value(*number);
      return std::nullopt;
    case SettingType::kSwitch:
      if (const auto on = parse_switch(text)) return Value(*on);
      return std::nullopt;
  }
  return std::nullopt;
}

Result<> read_environment(const Sources& sources, Resolution& out) {
  std::vector<std::string_view> known;
  for (const SettingInfo& setting : settings_table()) known.push_back(setting.variable);
  for (const auto& [name, text] : sources.environment) {
    if (!name.starts_with(kVariablePrefix) || text.empty()) continue;
    const auto setting = std::ranges::find(settings_table(), name, &SettingInfo::variable);
    if (setting == settings_table().end()) {
      const auto nearest = nearest_name(name, known);
      out.warnings.push_back(fmt::format("unknown environment variable {}{}", name,
                                         nearest ? fmt::format("; did you mean {}?", *nearest) : ""));
      continue;
    }
    CARAT_TRY(Value value, parse_value(*setting, text, name));
    out.settings.set(setting->id, {std::move(value), Origin::kEnvironment, name});
  }
  return {};
}

// "-m,--model" -> "--model", "--temperature,--temp" -> "--temperature"
std::string long_flag(const SettingInfo& setting) {
  const std::string_view flag = setting.flag.substr(setting.flag.find("--"));
  return std::string(flag.substr(0, flag.find(',')));
}

}  // namespace

std::string Settings::text(Setting setting) const {
  const Value& value = entry(setting).value;
  if (std::holds_alternative<std::monostate>(value)) return {};
  CARAT_CHECK(std::holds_alternative<std::string>(value));
  return std::get<std::string>(value);
}

std::optional<std::int64_t> Settings::integer(Setting setting) const {
  const Value& value = entry(setting).value;
  if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
  CARAT_CHECK(std::holds_alternative<std::int64_t>(value));
  return std::get<std::int64_t>(value);
}

double Settings::real(Setting setting) const {
  const Value& value = entry(setting).value;
  CARAT_CHECK(std::holds_alternative<double>(value));
  return std::get<double>(value);
}

std::vector<std::string> Settings::list(Setting setting) const {
  CARAT_CHECK(is_list(setting));
  std::vector<std::string> items;
  std::string item;
  for (const char c : text(setting) + ",") {
    if (c != ',') {
      item += c;
    } else if (!item.empty()) {
      items.push_back(std::exchange(item, {}));
    }
  }
  return items;
}

bool Settings::is_on(Setting setting) const {
  const Value& value = entry(setting).value;
  CARAT_CHECK(std::holds_alternative<bool>(value));
  return std::get<bool>(value);
}

Result<Resolution> resolve(const Sources& sources) {
  Resolution out;
  for (const SettingInfo& setting : settings_table()) {
    Value value;
    if (!setting.default_text.empty()) {
      auto parsed = parse_value(setting, std::string(setting.default_text), "default");
      CARAT_CHECK(parsed.has_value());
      value = std::move(*parsed);
    }
    out.settings.set(setting.id, {std::move(value), Origin::kDefault, "default"});
  }
  if (sources.file_text) {
    CARAT_TRY_VOID(read_settings_file(sources.file_name, *sources.file_text, out.settings));
  }
  CARAT_TRY_VOID(read_environment(sources, out));
  for (const auto& [id, text] : sources.flags) {
    const std::string flag = long_flag(info(id));
    CARAT_TRY(Value value, parse_value(info(id), text, flag));
    out.settings.set(id, {std::move(value), Origin::kFlag, flag});
  }
  return out;
}

Result<Value> parse_value(const SettingInfo& setting, const std::string& text, const std::string& where) {
  std::optional<Value> value = convert(setting, text);
  if (!value || !in_range(setting, *value)) {
    return fail(ErrorKind::kUsage, "{}: expected {}, found '{}'", where, expectation(setting), text);
  }
  return std::move(*value);
}

std::string to_text(const Value& value) {
  struct Print {
    std::string operator()(std::monostate) const { return "not set"; }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
    std::string operator()(double number) const { return fmt::format("{}", number); }
    std::string operator()(bool on) const { return on ? "on" : "off"; }
  };
  return std::visit(Print{}, value);
}

}  // namespace carat::config
