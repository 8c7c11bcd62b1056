#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <stop_token>

namespace carat::terminal {

// Becomes readable when a stop is requested, so that poll() can wait for a descriptor and for that at once.
class StopEvent {
 public:
  explicit StopEvent(const std::stop_token& token) : event_(), callback_(token, Signal{event_.descriptor}) {}
  StopEvent(const StopEvent&) = delete;
  StopEvent& operator=(const StopEvent&) = delete;

  int descriptor() const { return event_.descriptor; }

 private:
  struct Event {
    ~Event() { ::close(descriptor); }
    int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  };
  struct Signal {
    int descriptor;
    void operator()() const { ::eventfd_write(descriptor, 1); }
  };
  Event event_;  // closed after the callback is gone
  std::stop_callback<Signal> callback_;
};

}  // namespace carat::terminal
