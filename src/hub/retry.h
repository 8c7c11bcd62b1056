#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string_view>

#include "base/result.h"

namespace carat::hub {

// Lets time pass. Passed in, so that tests do not wait.
class Waiter {
 public:
  virtual ~Waiter() = default;
  // kInterrupted when a stop is requested before or meanwhile. Called by several threads at once.
  virtual Result<> wait(std::chrono::seconds time, const std::stop_token& stop) = 0;
};

class RealWaiter final : public Waiter {
 public:
  Result<> wait(std::chrono::seconds time, const std::stop_token& stop) override;
};

// When to try again after a failure that may pass: after 1, 2, 4... seconds, but at most a minute, or after
// the time that the server asks for, if that is not over ten minutes.
class Retries {
 public:
  static constexpr int kMost = 7;

  // How long to wait before the next try; nullopt when it is time to give up.
  std::optional<std::chrono::seconds> next(std::optional<std::chrono::seconds> asked = std::nullopt);
  void reset() { failures_ = 0; }  // something worked

 private:
  int failures_ = 0;
};

bool may_pass(unsigned status);  // 408, 429, 500, 502, 503, 504

// A Retry-After header that holds seconds; nullopt for others, dates among them.
std::optional<std::chrono::seconds> parse_retry_after(std::optional<std::string_view> value);

}  // namespace carat::hub
