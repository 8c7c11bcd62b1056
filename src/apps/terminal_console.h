#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "apps/runtime.h"
#include "terminal/chat_view.h"
#include "terminal/echo_off.h"
#include "terminal/history_file.h"
#include "terminal/line_editor.h"
#include "terminal/progress_line.h"

namespace carat::apps {

// The chat's console on this process's terminal, with the history of earlier sessions.
class TerminalConsole final : public terminal::Console {
 public:
  static Result<std::unique_ptr<TerminalConsole>> create(Runtime& runtime);

  Line read_line() override;
  void remember(const std::string& text) override;
  Result<> print(std::string_view text) override;
  void show_progress(std::string_view what, std::size_t done, std::size_t total) override;
  std::stop_token next_interrupt() override;

 private:
  TerminalConsole(Runtime& runtime, std::unique_ptr<terminal::LineEditor> editor,
                  terminal::HistoryFile history);

  Runtime& runtime_;
  std::unique_ptr<terminal::LineEditor> editor_;
  terminal::HistoryFile history_;
  bool history_works_ = true;
  terminal::ProgressLine progress_;
  std::optional<terminal::EchoOff> echo_off_;  // while an answer is written
};

}  // namespace carat::apps
