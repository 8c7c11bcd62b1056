#pragma once

#include <memory>
#include <stop_token>

namespace carat::apps {

// Ctrl-C, SIGTERM and SIGHUP as a stop request, so that what was begun is tidied up. One object per process,
// made before any other thread starts; it ignores SIGPIPE while it lives. A SIGHUP that is ignored already,
// as under nohup, stays ignored.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Requested when Ctrl-C is pressed. Work that does not stop can be killed: pressing `presses` times in all
  // ends the process at once, with 130.
  std::stop_token token() const;

  // The signal that asked this process to end, SIGTERM or SIGHUP; 0 where there was none. From then on every
  // token is stopped from its beginning.
  static int end_signal();

  // Makes the next token(): earlier presses do not count any more.
  std::stop_token renew();

  void kill_after(int presses);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace carat::apps
