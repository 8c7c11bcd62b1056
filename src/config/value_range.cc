#include "config/value_range.h"

#include <algorithm>
#include <string_view>

namespace carat::config {
namespace {

bool is_choice(std::string_view choices, std::string_view text) {
  while (true) {
    const std::size_t end = choices.find('|');
    if (choices.substr(0, end) == text) return true;
    if (end == std::string_view::npos) return false;
    choices.remove_prefix(end + 1);
  }
}

std::string listed(std::string_view choices) {
  std::string out(choices);
  std::size_t bar = 0;
  while ((bar = out.find('|')) != std::string::npos) out.replace(bar, 1, ", ");
  return out;
}

}  // namespace

bool in_range(const SettingInfo& setting, const Value& value) {
  switch (setting.type) {
    case SettingType::kText:
    case SettingType::kSwitch: return true;
    case SettingType::kChoice: return is_choice(setting.choices, std::get<std::string>(value));
    case SettingType::kInteger: {
      const std::int64_t number = std::get<std::int64_t>(value);
      return number >= static_cast<std::int64_t>(setting.least) &&
             number <= static_cast<std::int64_t>(setting.most);
    }
    case SettingType::kReal: {
      const double number = std::get<double>(value);
      return number >= setting.least && number <= setting.most;  // false for NaN
    }
  }
  return false;
}

std::string expectation(const SettingInfo& setting) {
  switch (setting.type) {
    case SettingType::kText: return "a text";
    case SettingType::kSwitch: return "true or false";
    case SettingType::kChoice: return fmt::format("one of {}", listed(setting.choices));
    case SettingType::kInteger:
      return fmt::format("an integer between {} and {}", static_cast<std::int64_t>(setting.least),
                         static_cast<std::int64_t>(setting.most));
    case SettingType::kReal: return fmt::format("a number between {} and {}", setting.least, setting.most);
  }
  return {};
}

}  // namespace carat::config
