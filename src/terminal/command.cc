#include "terminal/command.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/nearest_name.h"

namespace carat::terminal {
namespace {

using enum CommandKind;

constexpr std::array<CommandInfo, 16> kTable = {{
    {kHelp, "/help", "", false, "this list"},
    {kSystem, "/system", "[TEXT]", false, "show or set the system prompt; '/system none' removes it"},
    {kSet, "/set", "[NAME VALUE]", false, "show or change settings, such as '/set temperature 0.7'"},
    {kReset, "/reset", "", false, "forget the conversation and begin anew"},
    {kSave, "/save", "FILE", true, "write the conversation to a file"},
    {kLoad, "/load", "FILE", true, "go on with a conversation from a file"},
    {kFile, "/file", "PATH", true,
     "send a text file along with the next message; '/file none' leaves it out again"},
    {kImage, "/image", "PATH", true,
     "show a picture along with the next message; '/image none' leaves it out"},
    {kCrops, "/crops", "[on|off]", false,
     "show long pictures as a row of crops too, from the next /image on"},
    {kRetry, "/retry", "", false, "answer the last message again"},
    {kStats, "/stats", "", false, "tokens and tokens per second of the last answer"},
    {kExit, "/exit", "", false, "leave (also Ctrl-D)"},
    {kExit, "/quit", "", false, "the same"},
    {kExit, "/bye", "", false, "the same"},
    {kReset, "/clear", "", false, "the same as /reset"},
    {kHelp, "/?", "", false, "the same as /help"},
}};

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

std::span<const CommandInfo> command_table() { return kTable; }

Result<Input> parse_input(std::string_view text) {
  if (text.starts_with("//")) return Input(std::string(text.substr(1)));
  if (!text.starts_with('/') || text.contains('\n')) return Input(std::string(text));
  const std::string_view name = text.substr(0, text.find_first_of(" \t"));
  if (name.size() == 1 || name.find('/', 1) != std::string_view::npos) return Input(std::string(text));

  const auto command = std::ranges::find(kTable, name, &CommandInfo::name);
  if (command == kTable.end()) {
    std::vector<std::string_view> known;
    for (const CommandInfo& info : kTable) known.push_back(info.name);
    const auto nearest = nearest_name(name, known);
    return fail(ErrorKind::kUsage,
                "unknown command {}; {} (to send a message that begins with '/', write '//')", name,
                nearest ? fmt::format("did you mean {}?", *nearest) : "/help lists all of them");
  }
  const std::string_view argument = trim(text.substr(name.size()));
  if (argument.empty() && command->argument_required) {
    return fail(ErrorKind::kUsage, "{} needs a {}", name, command->argument);
  }
  if (!argument.empty() && command->argument.empty()) {
    return fail(ErrorKind::kUsage, "{} takes no argument, found '{}'", name, argument);
  }
  return Input(Command{command->kind, std::string(argument)});
}

std::string help_text() {
  std::string out;
  for (const CommandInfo& info : kTable) {
    out += fmt::format("  {:<22}{}\n", fmt::format("{} {}", info.name, info.argument), info.help);
  }
  out += "Ctrl-C stops an answer. Pasted text may have several lines.\n";
  return out;
}

}  // namespace carat::terminal
