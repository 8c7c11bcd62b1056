#include <boost/json.hpp>

#include <memory>
#include <string>
#include <variant>

#include "apps/commands.h"
#include "base/utf8.h"

namespace carat::apps {
namespace {

namespace json = boost::json;
using config::SettingInfo;
using config::Settings;

// An address with its password left out: this is shown, and shown to others.
std::string without_password(const std::string& text) {
  const std::size_t scheme = text.find("://");
  const std::size_t host = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t at = text.substr(0, text.find('/', host)).rfind('@');
  if (at == std::string::npos || at < host) return text;
  return text.substr(0, host) + "***" + text.substr(at);
}

config::Value shown(const config::SettingInfo& setting, const config::Value& value) {
  const bool address =
      setting.id == config::Setting::kHuggingFace || setting.id == config::Setting::kOllamaRegistry;
  const auto* text = std::get_if<std::string>(&value);
  return address && text != nullptr ? config::Value(without_password(*text)) : value;
}

json::value to_json(const config::Value& value) {
  struct Convert {
    json::value operator()(std::monostate) const { return nullptr; }
    json::value operator()(const std::string& text) const { return json::string(replace_invalid_utf8(text)); }
    json::value operator()(std::int64_t number) const { return number; }
    json::value operator()(double number) const { return number; }
    json::value operator()(bool on) const { return on; }
  };
  return std::visit(Convert{}, value);
}

std::string table(const Settings& settings, const std::string& file) {
  std::string out = fmt::format("{:<18} {:<22} {}\n", "setting", "value", "from");
  for (const SettingInfo& setting : config::settings_table()) {
    const Settings::Entry& entry = settings.entry(setting.id);
    out += fmt::format("{:<18} {:<22} {}\n", setting.key, config::to_text(shown(setting, entry.value)),
                       entry.where);
  }
  return out + fmt::format("\nSet them in {}, by CARAT_* variables, or by flags, which win.\n", file);
}

std::string list(const Settings& settings) {
  json::array out;
  for (const SettingInfo& setting : config::settings_table()) {
    const Settings::Entry& entry = settings.entry(setting.id);
    out.push_back(json::object{{"key", setting.key},
                               {"value", to_json(shown(setting, entry.value))},
                               {"origin", entry.where},
                               {"flag", setting.flag},
                               {"variable", setting.variable},
                               {"help", setting.help}});
  }
  return json::serialize(out) + "\n";
}

}  // namespace

void add_config_command(CommandLine& line) {
  CLI::App& command = line.add("config", "Settings and where their values come from.", {}, {});
  command.require_subcommand(1);
  auto as_json = std::make_shared<bool>(false);
  using enum config::SettingGroup;
  CLI::App& show =
      line.add_below(command, "show", "All settings, their values and where those come from.",
                     {kModel, kKvType, kContext, kPrompt, kSampling}, [as_json](Runtime& runtime) {
                       const std::string file = (runtime.directories.config / "config.toml").string();
                       return print(*as_json ? list(runtime.settings) : table(runtime.settings, file));
                     });
  show.add_flag("--json", *as_json, "print a JSON list");
}

}  // namespace carat::apps
