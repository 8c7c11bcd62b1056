#include "apps/runtime.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/output_file.h"
#include "base/utf8.h"
#include "terminal/printable.h"
#include "terminal/stop_event.h"

namespace carat::apps {
namespace {

constexpr std::size_t kMaxInputBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxNoteBytes = 2000;  // a file may be at fault with a string of a megabyte

Result<std::string> read_input(const std::stop_token& stop) {
  const terminal::StopEvent event(stop);
  std::string text;
  std::array<char, 65536> buffer;
  while (true) {
    std::array<pollfd, 2> wanted = {{{event.descriptor(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
    if (::poll(wanted.data(), wanted.size(), -1) < 0 && errno != EINTR) {
      return fail(ErrorKind::kFailed, "standard input: cannot wait for it: {}", std::strerror(errno));
    }
    if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    if (wanted[1].revents == 0) continue;
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorKind::kFailed, "standard input: cannot read: {}", std::strerror(errno));
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (text.size() > kMaxInputBytes) {
      return fail(ErrorKind::kFailed, "standard input has more than {} MiB", kMaxInputBytes >> 20);
    }
  }
}

}  // namespace

Result<> print(std::string_view text) {
  if (!output_is_terminal()) return write_all(STDOUT_FILENO, "standard output", text);
  return write_all(STDOUT_FILENO, "standard output", terminal::printable_text(text));
}

// Nothing can be done about a standard error that takes no text.
void note(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  std::string line = "carat: " + terminal::printable_line(text.substr(0, kMaxNoteBytes));
  if (text.size() > kMaxNoteBytes) line += fmt::format("... ({} bytes in all)", text.size());
  static_cast<void>(write_all(STDERR_FILENO, "standard error", line + "\n"));
}

bool output_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

bool input_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }

std::function<void(std::string_view)> progress_writer() {
  if (::isatty(STDERR_FILENO) != 1) return {};
  return [](std::string_view text) { static_cast<void>(write_all(STDERR_FILENO, "standard error", text)); };
}

Result<std::string> read_text_from_input(const Runtime& runtime) {
  if (input_is_terminal()) note("reading the text from the terminal; Ctrl-D ends it");
  CARAT_TRY(std::string text, read_input(runtime.interrupts.token()));
  if (is_valid_utf8(text)) return text;
  note("standard input is not valid UTF-8: what is invalid became U+FFFD");
  return replace_invalid_utf8(text);
}

}  // namespace carat::apps
