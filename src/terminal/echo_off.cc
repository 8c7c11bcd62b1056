#include "terminal/echo_off.h"

#include <unistd.h>

namespace carat::terminal {

EchoOff::EchoOff() {
  termios settings = {};
  if (::tcgetattr(STDIN_FILENO, &settings) != 0) return;
  before_ = settings;
  settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &settings);
}

EchoOff::~EchoOff() {
  if (before_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
}

}  // namespace carat::terminal
