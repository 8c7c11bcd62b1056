#include "server/key_meter.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace carat::server {
namespace {

using std::chrono::nanoseconds;

// Nanoseconds.
constexpr double kMicrosecond = 1e3;
constexpr double kMillisecond = 1e6;
constexpr double kMinute = 60e9;
// How long running requests take nobody knows.
constexpr std::chrono::seconds kWaitForRunning(1);

std::int64_t day_of(const Moment& now) {
  return std::chrono::floor<std::chrono::days>(now.wall).time_since_epoch().count();
}

void set_budget(std::optional<MinuteBudget>& budget, const std::optional<std::int64_t>& most) {
  if (!most) {
    budget.reset();
  } else if (budget) {
    budget->set_most(*most);
  } else {
    budget.emplace(*most);
  }
}

std::optional<KeyMeter::Rest> rest_of(const std::optional<MinuteBudget>& budget) {
  if (!budget) return std::nullopt;
  return KeyMeter::Rest{.most = budget->most(),
                        .left = budget->whole(),
                        .full = budget->wait_for(static_cast<double>(budget->most()))};
}

}  // namespace

void MinuteBudget::refill(nanoseconds now) {
  const nanoseconds passed = filled_ ? std::max(nanoseconds(0), now - *filled_) : nanoseconds(0);
  const auto most = static_cast<double>(most_);
  level_ = std::min(most, level_ + most * static_cast<double>(passed.count()) / kMinute);
  filled_ = std::max(now, filled_.value_or(now));
}

double MinuteBudget::slack() const { return static_cast<double>(most_) * kMicrosecond / kMinute; }

bool MinuteBudget::holds(double amount) const { return level_ + slack() >= amount; }

std::int64_t MinuteBudget::whole() const {
  return static_cast<std::int64_t>(std::max(0.0, std::floor(level_ + slack())));
}

std::chrono::milliseconds MinuteBudget::wait_for(double amount) const {
  if (holds(amount)) return std::chrono::milliseconds(0);
  const double wait = (amount - level_ - slack()) / static_cast<double>(most_) * kMinute;
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(wait / kMillisecond)));
}

void KeyMeter::set_limits(const store::KeyLimits& limits) {
  const std::lock_guard lock(mutex_);
  limits_ = limits;
  set_budget(requests_, limits.requests_per_minute);
  set_budget(tokens_, limits.tokens_per_minute);
}

// A date that goes back, since somebody set the clock, begins no day anew.
void KeyMeter::advance(const Moment& now) {
  if (requests_) requests_->refill(now.steady);
  if (tokens_) tokens_->refill(now.steady);
  if (const std::int64_t day = day_of(now); day > day_) {
    day_ = day;
    recorded_ = 0;
    reserved_ = 0;
  }
}

std::optional<KeyMeter::Refusal> KeyMeter::check_day(const Moment& now) const {
  if (!limits_.tokens_per_day || used_today() < *limits_.tokens_per_day) return std::nullopt;
  const WallTime midnight(std::chrono::sys_days(std::chrono::days(day_ + 1)));
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(midnight - now.wall);
  return Refusal{Limit::kTokensOfDay, *limits_.tokens_per_day, std::max(wait, std::chrono::milliseconds(0))};
}

std::optional<KeyMeter::Refusal> KeyMeter::begin(const Moment& now, std::int64_t most_running) {
  const std::lock_guard lock(mutex_);
  advance(now);
  if (auto refusal = check_day(now)) return refusal;
  const std::int64_t most = limits_.concurrent_requests.value_or(most_running);
  if (running_ >= most) return Refusal{Limit::kConcurrent, most, kWaitForRunning};
  if (requests_ && !requests_->holds(1))
    return Refusal{Limit::kRequests, requests_->most(), requests_->wait_for(1)};
  if (tokens_ && !tokens_->holds(1)) return Refusal{Limit::kTokens, tokens_->most(), tokens_->wait_for(1)};
  if (requests_) requests_->take(1);
  ++running_;
  ++unrecorded_.requests;
  return std::nullopt;
}

void KeyMeter::end() {
  const std::lock_guard lock(mutex_);
  --running_;
}

std::optional<KeyMeter::Refusal> KeyMeter::reserve(std::int64_t tokens, const Moment& now,
                                                   Reservation& reservation) {
  const std::lock_guard lock(mutex_);
  advance(now);
  if (auto refusal = check_day(now)) return refusal;
  reservation = {.day = day_};
  if (tokens_) {
    reservation.of_minute = std::min(tokens, tokens_->most());
    const auto wanted = static_cast<double>(reservation.of_minute);
    if (!tokens_->holds(wanted)) return Refusal{Limit::kTokens, tokens_->most(), tokens_->wait_for(wanted)};
    tokens_->take(wanted);
  }
  if (limits_.tokens_per_day) {
    reservation.of_day = std::min(tokens, *limits_.tokens_per_day - used_today());
    reserved_ += reservation.of_day;
  }
  return std::nullopt;
}

void KeyMeter::settle(const Reservation& reservation, std::int64_t tokens, const Moment& now) {
  const std::lock_guard lock(mutex_);
  advance(now);
  if (tokens_) tokens_->take(static_cast<double>(tokens - reservation.of_minute));
  if (reservation.day == day_) reserved_ -= reservation.of_day;
  unrecorded_.tokens += tokens;
}

KeyMeter::Rests KeyMeter::rests(const Moment& now) {
  const std::lock_guard lock(mutex_);
  advance(now);
  return {.requests = rest_of(requests_), .tokens = rest_of(tokens_)};
}

store::KeyUsage KeyMeter::take_use() {
  const std::lock_guard lock(mutex_);
  taken_ += unrecorded_.tokens;
  return std::exchange(unrecorded_, {});
}

void KeyMeter::put_back(const store::KeyUsage& use) {
  const std::lock_guard lock(mutex_);
  taken_ -= use.tokens;
  unrecorded_.requests += use.requests;
  unrecorded_.tokens += use.tokens;
}

void KeyMeter::set_recorded(const store::DayUsage& recorded, const store::KeyUsage& taken) {
  const std::lock_guard lock(mutex_);
  taken_ -= taken.tokens;
  if (recorded.day < day_) return;
  if (recorded.day > day_) reserved_ = 0;
  day_ = recorded.day;
  recorded_ = recorded.usage.tokens;
}

}  // namespace carat::server
