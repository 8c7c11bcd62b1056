#pragma once

#include <memory>
#include <stop_token>

namespace carat::apps {

// Ctrl-C as a stop request. One object per process, made before any other thread starts; it handles SIGINT
// and ignores SIGPIPE while it lives.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Requested when Ctrl-C is pressed. Work that does not stop can be killed: pressing `presses` times in all
  // ends the process at once, with 130.
  std::stop_token token() const;

  // Makes the next token(): earlier presses do not count any more.
  std::stop_token renew();

  void kill_after(int presses);

  // From here on SIGTERM requests the stop too, instead of ending the process.
  void handle_termination();
  // Whether it was SIGTERM, and not Ctrl-C alone.
  bool was_terminated() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace carat::apps
