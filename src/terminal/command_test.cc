#include "terminal/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace carat::terminal {
namespace {

using testing::HasSubstr;

std::string message(std::string_view text) {
  const auto input = parse_input(text);
  if (!input || !std::holds_alternative<std::string>(*input)) return "not a message";
  return std::get<std::string>(*input);
}

Command command(std::string_view text) {
  const auto input = parse_input(text);
  EXPECT_TRUE(input && std::holds_alternative<Command>(*input)) << text;
  return input && std::holds_alternative<Command>(*input) ? std::get<Command>(*input) : Command();
}

std::string usage_error(std::string_view text) {
  const auto input = parse_input(text);
  if (input) return "no error";
  EXPECT_EQ(input.error().kind, ErrorKind::kUsage);
  return input.error().message;
}

TEST(Command, WordsAfterASlashAreCommands) {
  EXPECT_EQ(command("/help").kind, CommandKind::kHelp);
  EXPECT_EQ(command("/exit ").kind, CommandKind::kExit);
  EXPECT_EQ(command("/quit").kind, CommandKind::kExit);
  EXPECT_EQ(command("/bye").kind, CommandKind::kExit);
  EXPECT_EQ(command("/clear").kind, CommandKind::kReset);
  EXPECT_EQ(command("/?").kind, CommandKind::kHelp);
  EXPECT_EQ(command("/save \t my chat.json ").argument, "my chat.json");
  EXPECT_EQ(command("/set temperature 0.5").argument, "temperature 0.5");
  EXPECT_EQ(command("/system").argument, "");
}

TEST(Command, EverythingElseIsAMessage) {
  EXPECT_EQ(message("hello"), "hello");
  EXPECT_EQ(message(" /help"), " /help");
  EXPECT_EQ(message("//help"), "/help");
  EXPECT_EQ(message("/usr/bin is a folder"), "/usr/bin is a folder");
  EXPECT_EQ(message("/"), "/");
  EXPECT_EQ(message("/ 2"), "/ 2");
  EXPECT_EQ(message("/help\nis the first of two lines"), "/help\nis the first of two lines");
  EXPECT_EQ(message(""), "");
}

TEST(Command, MistakesAreExplained) {
  EXPECT_THAT(usage_error("/hlep"), HasSubstr("did you mean /help?"));
  EXPECT_THAT(usage_error("/frobnicate"), HasSubstr("/help lists all of them"));
  EXPECT_THAT(usage_error("/save"), HasSubstr("/save needs a FILE"));
  EXPECT_THAT(usage_error("/retry now"), HasSubstr("takes no argument, found 'now'"));
}

TEST(Command, HelpNamesEveryCommand) {
  for (const CommandInfo& info : command_table()) EXPECT_THAT(help_text(), HasSubstr(std::string(info.name)));
}

}  // namespace
}  // namespace carat::terminal
