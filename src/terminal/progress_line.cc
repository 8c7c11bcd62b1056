#include "terminal/progress_line.h"

#include <fmt/format.h>

#include <algorithm>

namespace carat::terminal {
namespace {

using std::chrono_literals::operator""ms;

constexpr auto kQuiet = 1000ms;  // faster work shows nothing
constexpr auto kRedraw = 100ms;
constexpr std::string_view kEraseLine = "\r\x1b[K";

}  // namespace

void ProgressLine::update(std::string_view what, std::uint64_t done, std::uint64_t total) {
  if (!write_) return;
  const auto now = clock_.now();
  if (now - start_ < kQuiet || (shown_ && now - drawn_ < kRedraw)) return;
  shown_ = true;
  drawn_ = now;
  const double share = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
  write_(fmt::format("{}{}: {:.0f}%", kEraseLine, what, 100.0 * std::min(1.0, share)));
}

void ProgressLine::clear() {
  if (shown_) write_(kEraseLine);
  shown_ = false;
  start_ = clock_.now();
}

}  // namespace carat::terminal
