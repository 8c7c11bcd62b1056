#include "terminal/transfer_rate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace carat::terminal {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

constexpr auto kWindow = 10s;
constexpr auto kBetweenSamples = 500ms;

std::string amount(double bytes) {
  if (bytes >= 1e9) return fmt::format("{:.1f} GB", bytes / 1e9);
  return fmt::format("{:.1f} MB", bytes / 1e6);
}

std::string duration(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", std::ceil(seconds));
  if (seconds < 5400) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace

void TransferRate::update(std::uint64_t done) {
  const auto now = clock_.now();
  // The newest sample always holds the newest count; it stays one sample until half a second has passed.
  const bool replace = samples_.size() >= 2 && now - samples_[samples_.size() - 2].time < kBetweenSamples;
  if (replace) samples_.pop_back();
  samples_.push_back({now, done});
  while (samples_.size() > 2 && now - samples_[1].time >= kWindow) samples_.pop_front();
}

std::optional<double> TransferRate::bytes_per_second() const {
  if (samples_.empty()) return std::nullopt;
  const Sample& first = samples_.front();
  const Sample& last = samples_.back();
  if (last.time - first.time < 1s) return std::nullopt;
  const std::uint64_t bytes = last.done - std::min(last.done, first.done);  // an attempt may begin anew
  return static_cast<double>(bytes) / seconds(last.time - first.time);
}

std::string TransferRate::describe(std::uint64_t total) const {
  const std::uint64_t done = samples_.empty() ? 0 : samples_.back().done;
  std::string text =
      fmt::format("{} of {}", amount(static_cast<double>(done)), amount(static_cast<double>(total)));
  const auto rate = bytes_per_second();
  if (!rate || *rate <= 0) return text;
  text += fmt::format(", {}/s", amount(*rate));
  if (done < total) text += fmt::format(", {} left", duration(static_cast<double>(total - done) / *rate));
  return text;
}

}  // namespace carat::terminal
