#include "server/admission.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/wall_clock.h"

namespace carat::server {
namespace {

std::string limit_text(const KeyMeter::Refusal& refusal) {
  switch (refusal.limit) {
    case KeyMeter::Limit::kRequests:
      return fmt::format("This key may make {} requests a minute; try again later.", refusal.most);
    case KeyMeter::Limit::kConcurrent:
      return fmt::format("This key may have {} requests at a time; try again when one is answered.",
                         refusal.most);
    case KeyMeter::Limit::kTokens:
      return fmt::format("This key may use {} tokens a minute, answers included; try again later.",
                         refusal.most);
    case KeyMeter::Limit::kTokensOfDay:
      return fmt::format("This key may use {} tokens a day (UTC), and they are used up.", refusal.most);
  }
  return {};
}

}  // namespace

Moment system_moment() { return {.steady = SteadyClock().now(), .wall = SystemWallClock().now()}; }

ApiError limit_error(const KeyMeter::Refusal& refusal) {
  const bool is_quota = refusal.limit == KeyMeter::Limit::kTokensOfDay;
  return {.code = is_quota ? ApiErrorCode::kQuotaExceeded : ApiErrorCode::kTooManyRequests,
          .message = limit_text(refusal),
          .retry_after = refusal.wait};
}

Admission::Admission(std::shared_ptr<const KeyHolder> holder, std::shared_ptr<RequestCount> count, Now now)
    : holder_(std::move(holder)), count_(std::move(count)), now_(std::move(now)) {}

Admission* Admission::of(const http::ServerRequest& request) {
  return dynamic_cast<Admission*>(request.ticket.get());
}

ApiResult<> Admission::reserve(std::int64_t tokens) {
  if (holder_ == nullptr) return {};
  const std::lock_guard lock(mutex_);
  if (answered_) return {};
  if (const auto refusal = holder_->meter->reserve(tokens, now_(), reservation_))
    return std::unexpected(limit_error(*refusal));
  return {};
}

void Admission::use(std::int64_t tokens) {
  if (holder_ == nullptr) return;
  const std::lock_guard lock(mutex_);
  if (answered_) {
    holder_->meter->settle({}, tokens, now_());
  } else {
    used_ += tokens;
  }
}

void Admission::on_answered() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(answered_, true)) return;
  --count_->running;
  if (holder_ == nullptr) return;
  holder_->meter->settle(reservation_, used_, now_());
  holder_->meter->end();
}

}  // namespace carat::server
