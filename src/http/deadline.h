#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>

namespace carat::http {

// Calls something when time is up, unless it was disarmed before; then never, even if the timer has run out
// and its turn has not come yet. For one strand.
class Deadline {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit Deadline(const boost::asio::any_io_executor& strand)
      : timer_(strand), state_(std::make_shared<State>()) {}
  ~Deadline() { disarm(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  // Takes the place of what was armed before.
  void arm(TimePoint when, std::function<void()> action) {
    disarm();
    state_->has_passed = false;
    state_->action = std::move(action);
    timer_.expires_at(when);
    timer_.async_wait([state = state_, turn = state_->turn](const boost::system::error_code&) {
      if (state->turn != turn) return;
      state->has_passed = true;
      state->action();
    });
  }

  void disarm() {
    ++state_->turn;
    timer_.cancel();
  }

  bool has_passed() const { return state_->has_passed; }  // since arm()

 private:
  struct State {
    unsigned turn = 0;
    bool has_passed = false;
    std::function<void()> action;
  };

  boost::asio::steady_timer timer_;
  std::shared_ptr<State> state_;
};

}  // namespace carat::http
