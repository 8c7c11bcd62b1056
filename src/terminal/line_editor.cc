#include "terminal/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

#include "base/output_file.h"
#include "base/utf8.h"
#include "terminal/history_file.h"
#include "terminal/paste.h"
#include "terminal/stop_event.h"
#include "terminal/wide_text.h"

namespace carat::terminal {
namespace {

constexpr std::string_view kPasteOn = "\x1b[?2004h";  // bracketed paste: pasted text arrives between
constexpr std::string_view kPasteOff = "\x1b[?2004l";
constexpr const wchar_t* kPasteBegin = L"\x1b[200~";   // this
constexpr std::wstring_view kPasteEnd = L"\x1b[201~";  // and this
constexpr std::size_t kMaxPasteCharacters = std::size_t{16} << 20;

class LibeditEditor final : public LineEditor {
 public:
  explicit LibeditEditor(const std::string& prompt) : prompt_(to_wide(prompt)) {}
  ~LibeditEditor() override {
    if (editor_ != nullptr) ::el_end(editor_);
    if (history_ != nullptr) ::history_wend(history_);
  }
  LibeditEditor(const LibeditEditor&) = delete;
  LibeditEditor& operator=(const LibeditEditor&) = delete;

  bool start() {
    editor_ = ::el_init("carat", stdin, stdout, stderr);
    history_ = ::history_winit();
    if (editor_ == nullptr || history_ == nullptr) return false;
    HistEventW event;
    ::history_w(history_, &event, H_SETSIZE, static_cast<int>(HistoryFile::kMaxEntries));
    ::history_w(history_, &event, H_SETUNIQUE, 1);
    ::el_wset(editor_, EL_CLIENTDATA, this);
    ::el_wset(editor_, EL_PROMPT, &LibeditEditor::prompt_of);
    ::el_wset(editor_, EL_EDITOR, L"emacs");
    ::el_wset(editor_, EL_HIST, history_w, history_);
    ::el_wset(editor_, EL_GETCFN, &LibeditEditor::get_character);
    ::el_wset(editor_, EL_ADDFN, L"carat-paste", L"Insert pasted text", &LibeditEditor::paste);
    ::el_wset(editor_, EL_BIND, kPasteBegin, L"carat-paste", nullptr);
    ::el_wset(editor_, EL_BIND, L"^R", L"em-inc-search-prev", nullptr);
    return true;
  }

  Line read(std::stop_token interrupt) override {
    const StopEvent event(interrupt);
    stop_descriptor_ = event.descriptor();
    ::el_resize(editor_);
    // Before the prompt, which libedit itself shows first: what is typed at once must not be taken by the
    // terminal's own line editing.
    ::el_wset(editor_, EL_PREP_TERM, 1);
    tell_terminal(kPasteOn);
    int count = 0;
    const wchar_t* text = ::el_wgets(editor_, &count);
    tell_terminal(kPasteOff);
    const std::wstring line(text != nullptr ? text : L"",
                            text != nullptr ? static_cast<std::size_t>(count) : 0);
    if (interrupt.stop_requested()) {
      const std::string typed = take_unfinished_line();
      tell_terminal("\n");
      return {Line::kInterrupted, pastes_.expand(typed)};
    }
    if (text == nullptr || count <= 0) return {Line::kEnd, {}};
    std::string typed = to_utf8(line);
    if (typed.ends_with('\n')) typed.pop_back();
    return {Line::kText, pastes_.expand(typed)};
  }

  void add_history(const std::string& line) override {
    HistEventW event;
    ::history_w(history_, &event, H_ENTER, to_wide(line).c_str());
  }

 private:
  static LibeditEditor& self_of(EditLine* editor) {
    void* self = nullptr;
    ::el_wget(editor, EL_CLIENTDATA, &self);
    return *static_cast<LibeditEditor*>(self);
  }

  static wchar_t* prompt_of(EditLine* editor) { return self_of(editor).prompt_.data(); }

  // One character from the terminal: 1, or 0 at its end, or -1 when the line is to be given up.
  static int get_character(EditLine* editor, wchar_t* out) {
    LibeditEditor& self = self_of(editor);
    std::string bytes;
    while (true) {
      const int count = self.read_byte(bytes);
      if (count <= 0) return count;
      const Utf8Unit unit = first_utf8_unit(bytes);
      if (unit.kind == Utf8Unit::kIncomplete) continue;
      if (unit.kind == Utf8Unit::kInvalid && unit.length < bytes.size()) {
        self.unread_ = bytes.back();  // it begins something else
      }
      *out = to_wide(std::string_view(bytes).substr(0, unit.length)).front();
      return 1;
    }
  }

  int read_byte(std::string& bytes) {
    if (unread_) {
      bytes += *std::exchange(unread_, std::nullopt);
      return 1;
    }
    while (true) {
      std::array<pollfd, 2> wanted = {{{stop_descriptor_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
      if (::poll(wanted.data(), wanted.size(), -1) < 0) {
        if (errno == EINTR) continue;
        return -1;
      }
      if (wanted[0].revents != 0) return -1;
      char byte = 0;
      const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count > 0) bytes += byte;
      return count < 0 ? 0 : static_cast<int>(count);  // a terminal that is gone has ended
    }
  }

  static unsigned char paste(EditLine* editor, wint_t) {
    LibeditEditor& self = self_of(editor);
    std::wstring text;
    while (!text.ends_with(kPasteEnd)) {
      wchar_t character = 0;
      if (get_character(editor, &character) != 1) return CC_EOF;
      if (text.size() < kMaxPasteCharacters + kPasteEnd.size()) text += character;
    }
    text.resize(text.size() - kPasteEnd.size());
    std::erase(text, L'\0');
    const std::wstring shown = to_wide(self.pastes_.insert(to_utf8(text)));
    return ::el_winsertstr(editor, shown.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
  }

  // el_gets keeps what was typed when it gives up; the next line must not begin with it.
  std::string take_unfinished_line() {
    const LineInfoW* info = ::el_wline(editor_);
    const std::wstring text(info->buffer, info->lastchar);
    ::el_reset(editor_);
    return to_utf8(text);
  }

  static void tell_terminal(std::string_view text) {
    std::fflush(stdout);
    // A terminal that is gone is noticed when it is read.
    static_cast<void>(write_all(STDOUT_FILENO, "terminal", text));
  }

  std::wstring prompt_;
  EditLine* editor_ = nullptr;
  HistoryW* history_ = nullptr;
  int stop_descriptor_ = -1;
  std::optional<char> unread_;
  PasteBuffer pastes_;
};

}  // namespace

Result<std::unique_ptr<LineEditor>> LineEditor::create(const std::string& prompt,
                                                       const std::vector<std::string>& history) {
  auto editor = std::make_unique<LibeditEditor>(prompt);
  if (!editor->start()) return fail(ErrorKind::kFailed, "cannot set up line editing on this terminal");
  for (const std::string& line : history) editor->add_history(line);
  return editor;
}

}  // namespace carat::terminal
