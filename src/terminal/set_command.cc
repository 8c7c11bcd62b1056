#include "terminal/set_command.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/nearest_name.h"

namespace carat::terminal {
namespace {

using config::SettingInfo;

bool can_change(const SettingInfo& setting) { return setting.group == config::SettingGroup::kSampling; }

Result<const SettingInfo*> find_setting(std::string name) {
  std::ranges::replace(name, '-', '_');
  std::vector<std::string_view> known;
  for (const SettingInfo& setting : config::settings_table()) {
    if (!can_change(setting)) continue;
    if (setting.key == name) return &setting;
    known.push_back(setting.key);
  }
  const auto nearest = nearest_name(name, known);
  return fail(ErrorKind::kUsage, "/set: no setting '{}' can change during a chat; {}", name,
              nearest ? fmt::format("did you mean '{}'?", *nearest) : "'/set' alone lists those that can");
}

std::string line_of(const SettingInfo& setting, const config::Settings& settings) {
  return fmt::format("{} = {}\n", setting.key, config::to_text(settings.entry(setting.id).value));
}

}  // namespace

std::string describe_chat_settings(const config::Settings& settings) {
  std::string out;
  for (const SettingInfo& setting : config::settings_table()) {
    if (can_change(setting)) out += line_of(setting, settings);
  }
  return out;
}

Result<std::string> apply_set_command(const std::string& argument, const config::Settings& initial,
                                      config::Settings& settings) {
  const std::size_t space = argument.find_first_of(" \t");
  CARAT_TRY(const SettingInfo* setting, find_setting(argument.substr(0, space)));
  const std::size_t start = space == std::string::npos ? space : argument.find_first_not_of(" \t", space);
  if (start == std::string::npos) return line_of(*setting, settings);

  const std::string text = argument.substr(start);
  if (text == "default") {
    settings.set(setting->id, initial.entry(setting->id));
  } else {
    CARAT_TRY(config::Value value, config::parse_value(*setting, text, "/set " + std::string(setting->key)));
    settings.set(setting->id, {std::move(value), config::Origin::kFlag, "/set"});
  }
  return line_of(*setting, settings);
}

}  // namespace carat::terminal
