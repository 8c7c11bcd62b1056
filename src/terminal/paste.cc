#include "terminal/paste.h"

#include <fmt/format.h>

#include <algorithm>

namespace carat::terminal {
namespace {

constexpr std::ptrdiff_t kMaxLinesShown = 8;
constexpr std::size_t kMaxBytesShown = 600;

std::string with_unix_line_ends(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      out += '\n';
    }
  }
  return out;
}

}  // namespace

std::string PasteBuffer::insert(std::string_view text) {
  std::string clean = with_unix_line_ends(text);
  const auto newlines = std::ranges::count(clean, '\n');
  if (newlines < kMaxLinesShown && clean.size() <= kMaxBytesShown) return clean;
  const auto lines = newlines + (clean.ends_with('\n') ? 0 : 1);
  std::string mark =
      fmt::format("[pasted text {}: {} line{}]", pastes_.size() + 1, lines, lines == 1 ? "" : "s");
  pastes_.push_back({mark, std::move(clean)});
  return mark;
}

std::string PasteBuffer::expand(std::string_view line) {
  std::string out;
  std::string_view rest = line;
  // Left to right over the typed line only: a pasted text that spells a mark is not expanded again.
  while (!rest.empty()) {
    const Paste* next = nullptr;
    std::size_t next_at = std::string_view::npos;
    for (const Paste& paste : pastes_) {
      const std::size_t at = rest.find(paste.mark);
      if (at < next_at) {
        next_at = at;
        next = &paste;
      }
    }
    out += rest.substr(0, next_at);
    if (next == nullptr) break;
    out += next->text;
    rest.remove_prefix(next_at + next->mark.size());
  }
  pastes_.clear();
  return out;
}

}  // namespace carat::terminal
