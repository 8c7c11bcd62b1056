#include "apps/terminal_console.h"

#include <utility>
#include <vector>

namespace carat::apps {

TerminalConsole::TerminalConsole(Runtime& runtime, std::unique_ptr<terminal::LineEditor> editor,
                                 terminal::HistoryFile history)
    : runtime_(runtime),
      editor_(std::move(editor)),
      history_(std::move(history)),
      progress_(runtime.clock, progress_writer()) {}

// A chat without its history is better than none.
Result<std::unique_ptr<TerminalConsole>> TerminalConsole::create(Runtime& runtime) {
  terminal::HistoryFile history((runtime.directories.state / "history").string());
  auto entries = history.load();
  if (!entries) note(entries.error().message);
  CARAT_TRY(auto editor, terminal::LineEditor::create("> ", entries.value_or(std::vector<std::string>())));
  return std::unique_ptr<TerminalConsole>(
      new TerminalConsole(runtime, std::move(editor), std::move(history)));
}

TerminalConsole::Line TerminalConsole::read_line() {
  echo_off_.reset();
  terminal::LineEditor::Line line = editor_->read(runtime_.interrupts.renew());
  switch (line.kind) {
    case terminal::LineEditor::Line::kText: return {Line::kText, std::move(line.text)};
    case terminal::LineEditor::Line::kInterrupted: return {Line::kInterrupted, {}, line.text.empty()};
    case terminal::LineEditor::Line::kEnd: break;
  }
  return {Line::kEnd, {}};
}

void TerminalConsole::remember(const std::string& text) {
  editor_->add_history(text);
  if (!history_works_) return;
  const Result<> kept = history_.append(text);
  if (kept) return;
  history_works_ = false;  // say so once
  note(kept.error().message);
}

Result<> TerminalConsole::print(std::string_view text) {
  progress_.clear();
  return apps::print(text);
}

void TerminalConsole::show_progress(std::string_view what, std::size_t done, std::size_t total) {
  progress_.update(what, done, total);
}

std::stop_token TerminalConsole::next_interrupt() {
  progress_.clear();  // its second begins now
  echo_off_.emplace();
  return runtime_.interrupts.renew();
}

}  // namespace carat::apps
