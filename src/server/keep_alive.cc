#include "server/keep_alive.h"

#include <array>
#include <charconv>
#include <cmath>
#include <system_error>
#include <utility>

namespace carat::server {
namespace {

constexpr double kCentury = 100.0 * 365 * 24 * 3600;

// Takes a number without sign or exponent from the beginning of `text`.
std::optional<double> take_number(std::string_view& text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || text.front() == '-' || !std::isfinite(number)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// Takes a unit, as Go has them: how many seconds it is.
std::optional<double> take_unit(std::string_view& text) {
  constexpr auto kUnits = std::to_array<std::pair<std::string_view, double>>(
      {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}});
  for (const auto& [name, seconds] : kUnits) {
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    return seconds;
  }
  return std::nullopt;
}

}  // namespace

std::chrono::nanoseconds keep_alive_seconds(double seconds) {
  if (!(seconds >= 0) || seconds > kCentury) return std::chrono::nanoseconds::max();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
}

std::optional<std::chrono::nanoseconds> parse_keep_alive(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  double seconds = 0;
  for (bool is_first = true; !text.empty(); is_first = false) {
    const auto number = take_number(text);
    if (!number) return std::nullopt;
    if (is_first && text.empty()) {
      seconds = *number;
      break;
    }
    const auto unit = take_unit(text);
    if (!unit) return std::nullopt;
    seconds += *number * *unit;
  }
  return keep_alive_seconds(is_negative && seconds > 0 ? -seconds : seconds);
}

}  // namespace carat::server
