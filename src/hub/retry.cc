#include "hub/retry.h"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>

namespace carat::hub {
namespace {

using std::chrono::seconds;

constexpr seconds kMostBackoff{60};
constexpr seconds kMostAsked{600};

}  // namespace

Result<> RealWaiter::wait(seconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
  if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
  return {};
}

std::optional<seconds> Retries::next(std::optional<seconds> asked) {
  if (++failures_ > kMost || asked.value_or(seconds{0}) > kMostAsked) return std::nullopt;
  const seconds backoff = std::min(kMostBackoff, seconds{1 << (failures_ - 1)});
  return std::max(backoff, asked.value_or(seconds{0}));
}

bool may_pass(unsigned status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

std::optional<seconds> parse_retry_after(std::optional<std::string_view> value) {
  if (!value || value->empty() || value->size() > 9) return std::nullopt;
  unsigned count = 0;
  const auto [stopped, error] = std::from_chars(value->data(), value->data() + value->size(), count);
  if (error != std::errc() || stopped != value->data() + value->size()) return std::nullopt;
  return seconds{count};
}

}  // namespace carat::hub
