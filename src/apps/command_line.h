#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "apps/runtime.h"
#include "base/result.h"
#include "config/settings.h"

namespace carat::apps {

using Action = std::function<Result<>(Runtime&)>;

// The program's flags, and what was chosen. Subcommands add themselves; settings become flags by their table.
class CommandLine {
 public:
  CommandLine();

  // A subcommand that takes the settings of `groups` as flags and then runs `action`. Further options may be
  // added to what is returned; their storage must live as long as the action, which may own it.
  CLI::App& add(const std::string& name, const std::string& help,
                std::initializer_list<config::SettingGroup> groups, Action action);

  // The same below another subcommand.
  CLI::App& add_below(CLI::App& parent, const std::string& name, const std::string& help,
                      std::initializer_list<config::SettingGroup> groups, Action action);

  // Lets the model be named without -m.
  void add_model_argument(CLI::App& command);

  enum class Outcome {
    kRun,   // action() says what
    kDone,  // help or the version was asked for: text() goes to standard output
  };
  // kUsage for everything that CLI11 refuses, with the nearest known name where one was unknown.
  Result<Outcome> parse(int argc, const char* const* argv);

  const std::string& text() const { return text_; }
  const Action& action() const { return action_; }
  const std::vector<std::pair<config::Setting, std::string>>& flags() const { return flags_; }

 private:
  void add_setting(CLI::App& command, const config::SettingInfo& setting);
  std::string explain(const CLI::ParseError& error, int argc, const char* const* argv);

  CLI::App app_;
  Action action_;
  std::string text_;
  std::vector<std::pair<config::Setting, std::string>> flags_;
};

// --image, which may be given several times, and --pan-and-scan.
void add_image_options(CLI::App& command, std::vector<std::string>& images, bool& pan_and_scan);

}  // namespace carat::apps
