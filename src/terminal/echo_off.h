#pragma once

#include <termios.h>

#include <optional>

namespace carat::terminal {

// While it lives, the terminal on standard input shows nothing of what is typed, so that an answer stays
// whole; the keys are kept for the next line, and Ctrl-C still works. Does nothing without a terminal.
class EchoOff {
 public:
  EchoOff();
  ~EchoOff();
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

 private:
  std::optional<termios> before_;
};

}  // namespace carat::terminal
