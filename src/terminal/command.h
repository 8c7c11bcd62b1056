#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace carat::terminal {

enum class CommandKind {
  kHelp,
  kSystem,
  kSet,
  kReset,
  kSave,
  kLoad,
  kFile,
  kImage,
  kCrops,
  kRetry,
  kStats,
  kExit
};

struct CommandInfo {
  CommandKind kind;
  std::string_view name;      // with its slash
  std::string_view argument;  // for /help; empty: takes none
  bool argument_required;
  std::string_view help;
};

std::span<const CommandInfo> command_table();

struct Command {
  CommandKind kind = CommandKind::kHelp;
  std::string argument;  // trimmed
};

// What a person sent: a command, or a message for the model.
using Input = std::variant<Command, std::string>;

// A single line that starts with '/' and a word is a command; "//" at the start means a message that begins
// with '/'. Several lines, and paths such as /usr/bin, are messages. kUsage for an unknown command, with the
// nearest one, and for an argument that is missing or not wanted.
Result<Input> parse_input(std::string_view text);

// The list that /help prints.
std::string help_text();

}  // namespace carat::terminal
