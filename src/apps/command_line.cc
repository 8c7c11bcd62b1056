#include "apps/command_line.h"

#include <algorithm>
#include <string_view>

#include "base/nearest_name.h"

namespace carat::apps {
namespace {

using config::SettingGroup;
using config::SettingInfo;
using config::SettingType;

std::string heading(SettingGroup group) {
  switch (group) {
    case SettingGroup::kModel:
    case SettingGroup::kKvType:
    case SettingGroup::kContext: return "Model";
    case SettingGroup::kPrompt: return "Prompt";
    case SettingGroup::kSampling: return "Answer";
    case SettingGroup::kServer: return "Server";
    case SettingGroup::kStore: return "Store";
    case SettingGroup::kEnvironment: return "Environment";
  }
  return {};
}

std::string value_name(const SettingInfo& setting) {
  switch (setting.type) {
    case SettingType::kText: return "TEXT";
    case SettingType::kChoice: return std::string(setting.choices);
    case SettingType::kInteger: return "INT";
    case SettingType::kReal: return "NUMBER";
    case SettingType::kSwitch: return {};
  }
  return {};
}

// The subcommand that parsing came to, which knows the flags that were possible.
CLI::App* innermost(CLI::App& app) {
  CLI::App* current = &app;
  while (!current->get_subcommands().empty()) current = current->get_subcommands().front();
  return current;
}

// How many words name the command: 1 for "carat run", 2 for "carat config show".
int depth(const CLI::App& command) {
  int count = 0;
  for (const CLI::App* app = command.get_parent(); app != nullptr; app = app->get_parent()) ++count;
  return count;
}

// "-m" and "--model", but not "-5".
bool looks_like_flag(std::string_view word) {
  if (word.starts_with("--")) return word.size() > 2;
  return word.size() == 2 && word[0] == '-' && (word[1] < '0' || word[1] > '9');
}

// "carat config" for the command "carat config show".
std::string path_before(const CLI::App& command) {
  std::string path;
  for (const CLI::App* app = command.get_parent(); app != nullptr; app = app->get_parent()) {
    path.insert(0, app->get_name() + (path.empty() ? "" : " "));
  }
  return path;
}

std::vector<std::string> known_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

}  // namespace

CommandLine::CommandLine() : app_("Chat with Gemma 3 on this machine.", "carat") {
  app_.set_version_flag("--version", "carat " CARAT_VERSION);
  app_.require_subcommand(1);
  app_.footer(
      "'carat COMMAND --help' lists a command's options. Settings are also taken from config.toml and\n"
      "CARAT_* variables: see 'carat config show'.");
}

CLI::App& CommandLine::add(const std::string& name, const std::string& help,
                           std::initializer_list<SettingGroup> groups, Action action) {
  return add_below(app_, name, help, groups, std::move(action));
}

CLI::App& CommandLine::add_below(CLI::App& parent, const std::string& name, const std::string& help,
                                 std::initializer_list<SettingGroup> groups, Action action) {
  CLI::App& command = *parent.add_subcommand(name, help);
  for (const SettingInfo& setting : config::settings_table()) {
    if (std::ranges::find(groups, setting.group) != groups.end()) add_setting(command, setting);
  }
  if (action) command.final_callback([this, action = std::move(action)] { action_ = action; });
  return command;
}

void CommandLine::add_setting(CLI::App& command, const SettingInfo& setting) {
  std::string help(setting.help);
  if (!setting.default_text.empty() && setting.type != SettingType::kSwitch) {
    help += fmt::format(" (default: {})", setting.default_text);
  }
  const std::string flag(setting.flag);
  CLI::Option* option = nullptr;
  if (setting.type == SettingType::kSwitch) {
    option =
        command.add_flag_callback(flag, [this, id = setting.id] { flags_.emplace_back(id, "true"); }, help);
  } else {
    option = command.add_option_function<std::string>(
        flag, [this, id = setting.id](const std::string& text) { flags_.emplace_back(id, text); }, help);
    option->type_name(value_name(setting));
    if (config::is_list(setting.id)) {
      option->multi_option_policy(CLI::MultiOptionPolicy::Join)->delimiter(',');
    } else {
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }
  option->group(heading(setting.group));
}

void CommandLine::add_model_argument(CLI::App& command) {
  command
      .add_option_function<std::string>(
          "MODEL", [this](const std::string& text) { flags_.emplace_back(config::Setting::kModel, text); },
          "a name in the model store, or a path; as -m")
      ->type_name("");
}

Result<CommandLine::Outcome> CommandLine::parse(int argc, const char* const* argv) {
  try {
    app_.parse(argc, argv);
    return Outcome::kRun;
  } catch (const CLI::CallForHelp&) {
    const CLI::App* command = innermost(app_);
    text_ = command->help(path_before(*command));
    return Outcome::kDone;
  } catch (const CLI::CallForVersion& version) {
    text_ = std::string(version.what()) + "\n";
    return Outcome::kDone;
  } catch (const CLI::ParseError& error) {
    return fail(ErrorKind::kUsage, "{}", explain(error, argc, argv));
  }
}

std::string CommandLine::explain(const CLI::ParseError& error, int argc, const char* const* argv) {
  const CLI::App& command = *innermost(app_);
  const std::string before = path_before(command);
  const std::string help =
      fmt::format("'{}{}{} --help' tells how", before, before.empty() ? "" : " ", command.get_name());
  const std::vector<std::string> names = known_names(command);
  const std::vector<std::string_view> known(names.begin(), names.end());
  // CLI11 says which words it could make nothing of only in prose; they are those that it does not know.
  const bool wants_command = !command.get_subcommands({}).empty();
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = std::string_view(argv[i]).substr(0, std::string_view(argv[i]).find('='));
    const bool is_flag = looks_like_flag(word);
    const bool is_command = wants_command && i == depth(command) + 1 && !word.starts_with('-');
    if (is_flag && i == 1 && &command != &app_) {
      return fmt::format("'{}' stands before the command, and flags go behind it; {}", word, help);
    }
    if ((!is_flag && !is_command) || std::ranges::find(known, word) != known.end()) continue;
    const auto nearest =
        word.size() > 2 ? nearest_name(word, known) : std::nullopt;  // any letter is near another
    return fmt::format("unknown {} '{}'{}; {}", is_flag ? "flag" : "command", word,
                       nearest ? fmt::format(", did you mean '{}'?", *nearest) : "", help);
  }
  if (wants_command) return fmt::format("no command was given; {}", help);
  return fmt::format("{}; {}", error.what(), help);
}

void add_image_options(CLI::App& command, std::vector<std::string>& images, bool& pan_and_scan) {
  command.add_option("--image", images, "a picture to look at; may be given several times")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Images");
  command.add_flag("--pan-and-scan", pan_and_scan, "show long pictures as a row of crops too")
      ->group("Images");
}

}  // namespace carat::apps
