#include "apps/interrupts.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <thread>

#include "apps/exit_code.h"
#include "base/check.h"

namespace carat::apps {
namespace {

constexpr int kDefaultPressesToKill = 2;

// What a signal handler may touch. request_stop() is not among what it may call, so a thread does that.
std::atomic<int> g_presses{0};
std::atomic<int> g_presses_to_kill{kDefaultPressesToKill};
std::atomic<int> g_pipe_end{-1};
std::atomic<bool> g_terminated{false};
termios g_terminal = {};  // as the program found it; written before the handler is set
bool g_has_terminal = false;

void on_interrupt(int) {
  const int saved_errno = errno;
  if (g_presses.fetch_add(1) + 1 >= g_presses_to_kill.load()) {
    if (g_has_terminal) ::tcsetattr(STDIN_FILENO, TCSANOW, &g_terminal);  // nobody else will
    ::_exit(exit_code(ErrorKind::kInterrupted));
  }
  const char byte = 'i';
  static_cast<void>(!::write(g_pipe_end.load(), &byte, 1));
  errno = saved_errno;
}

void on_termination(int) {
  const int saved_errno = errno;
  g_terminated = true;
  const char byte = 't';
  static_cast<void>(!::write(g_pipe_end.load(), &byte, 1));
  errno = saved_errno;
}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

struct Interrupts::State {
  std::mutex mutex;
  std::stop_source source;
  int read_end = -1;
  int write_end = -1;
  std::thread watcher;

  // Ends when the write end is closed.
  void watch() {
    char byte = 0;
    while (true) {
      const ssize_t count = ::read(read_end, &byte, 1);
      if (count == 0 || (count < 0 && errno != EINTR)) return;
      if (count < 0) continue;
      std::stop_source current;
      {
        const std::lock_guard lock(mutex);
        current = source;
      }
      current.request_stop();
    }
  }
};

Interrupts::Interrupts() : state_(std::make_unique<State>()) {
  int ends[2] = {};
  CARAT_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
  state_->read_end = ends[0];
  state_->write_end = ends[1];
  g_pipe_end = ends[1];
  g_has_terminal = ::tcgetattr(STDIN_FILENO, &g_terminal) == 0;

  // The signal goes to the main thread, whose system calls it then interrupts.
  sigset_t interrupt;
  sigset_t before;
  ::sigemptyset(&interrupt);
  ::sigaddset(&interrupt, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &interrupt, &before);
  state_->watcher = std::thread([state = state_.get()] { state->watch(); });
  set_handler(SIGINT, on_interrupt);
  set_handler(SIGPIPE, SIG_IGN);
  set_handler(SIGXFSZ, SIG_IGN);  // a write beyond the limit on file sizes fails instead
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Interrupts::~Interrupts() {
  set_handler(SIGINT, SIG_DFL);
  set_handler(SIGTERM, SIG_DFL);
  set_handler(SIGPIPE, SIG_DFL);
  set_handler(SIGXFSZ, SIG_DFL);
  ::close(state_->write_end);
  state_->watcher.join();
  ::close(state_->read_end);
}

std::stop_token Interrupts::token() const {
  const std::lock_guard lock(state_->mutex);
  return state_->source.get_token();
}

std::stop_token Interrupts::renew() {
  const std::lock_guard lock(state_->mutex);
  g_presses = 0;
  state_->source = std::stop_source();
  return state_->source.get_token();
}

void Interrupts::kill_after(int presses) { g_presses_to_kill = presses; }

void Interrupts::handle_termination() { set_handler(SIGTERM, on_termination); }

bool Interrupts::was_terminated() const { return g_terminated; }

}  // namespace carat::apps
