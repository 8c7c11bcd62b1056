#include "config/settings_file.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/nearest_name.h"
#include "config/bare_text.h"
#include "config/value_range.h"

namespace carat::config {
namespace {

std::string location(const std::string& file_name, const toml::source_region& region) {
  return fmt::format("{}:{}", file_name, region.begin.line);
}

std::optional<Value> convert(const SettingInfo& setting, const toml::node& node) {
  switch (setting.type) {
    case SettingType::kText:
    case SettingType::kChoice:
      if (const auto* text = node.as_string()) return Value(text->get());
      return std::nullopt;
    case SettingType::kInteger:
      if (const auto* number = node.as_integer()) return Value(number->get());
      return std::nullopt;
    case SettingType::kReal:
      if (const auto* number = node.as_floating_point()) return Value(number->get());
      if (const auto* number = node.as_integer()) return Value(static_cast<double>(number->get()));
      return std::nullopt;
    case SettingType::kSwitch:
      if (const auto* on = node.as_boolean()) return Value(on->get());
      return std::nullopt;
  }
  return std::nullopt;
}

std::string describe(const toml::node& node) {
  if (const auto* text = node.as_string()) return fmt::format("the string '{}'", text->get());
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* on = node.as_boolean()) return on->get() ? "true" : "false";
  if (node.is_array()) return "an array";
  if (node.is_table()) return "a table";
  return "a date or time";
}

std::unexpected<Error> unknown_key(const std::string& where, std::string_view key) {
  std::vector<std::string_view> known;
  for (const SettingInfo& setting : settings_table()) known.push_back(setting.key);
  const auto nearest = nearest_name(key, known);
  return fail(ErrorKind::kUsage, "{}: unknown key '{}'{}", where, key,
              nearest ? fmt::format("; did you mean '{}'?", *nearest)
                      : std::string("; 'carat config show' lists all of them"));
}

}  // namespace

Result<> read_settings_file(const std::string& file_name, const std::string& text, Settings& settings) {
  if (const auto line = line_of_bare_non_ascii(text)) {
    return fail(ErrorKind::kUsage, "{}:{}: characters other than ASCII may stand in quotes and comments only",
                file_name, *line);
  }
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return fail(ErrorKind::kUsage, "{}: {}", location(file_name, error.source()), error.description());
  }
  for (const auto& [key, node] : parsed.table()) {
    const auto setting = std::ranges::find(settings_table(), key.str(), &SettingInfo::key);
    if (setting == settings_table().end()) return unknown_key(location(file_name, key.source()), key.str());
    const std::string where = location(file_name, key.source());
    std::optional<Value> value = convert(*setting, node);
    if (!value || !in_range(*setting, *value)) {
      return fail(ErrorKind::kUsage, "{}: {}: expected {}, found {}", where, key.str(), expectation(*setting),
                  describe(node));
    }
    settings.set(setting->id, {std::move(*value), Origin::kFile, where});
  }
  return {};
}

}  // namespace carat::config
