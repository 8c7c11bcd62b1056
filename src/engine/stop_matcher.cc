#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace carat::engine {
namespace {

// Where the character that holds byte `at` begins. Only a stop string that is not valid UTF-8 can start
// inside one.
std::size_t character_begin(std::string_view text, std::size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

// Bytes at the end of `text` that one of the stop strings begins with.
std::size_t partial_match(std::string_view text, const std::vector<std::string>& stops) {
  std::size_t longest = 0;
  for (const std::string& stop : stops) {
    for (std::size_t length = std::min(text.size(), stop.size() - 1); length > longest; --length) {
      if (text.ends_with(std::string_view(stop).substr(0, length))) longest = length;
    }
  }
  return longest;
}

}  // namespace

std::string StopMatcher::add(std::string_view text) {
  CARAT_CHECK(!stopped_);
  held_ += text;
  std::size_t begin = 0;
  std::size_t end = std::string::npos;
  for (const std::string& stop : stops_) {
    const std::size_t found = held_.find(stop);
    if (found == std::string::npos) continue;
    stopped_ = true;
    const std::size_t found_end = found + stop.size();
    if (found_end < end || (found_end == end && found < begin)) {
      begin = found;
      end = found_end;
      stop_string_ = stop;
    }
  }
  if (!stopped_) begin = held_.size() - partial_match(held_, stops_);
  begin = character_begin(held_, begin);

  std::string shown = held_.substr(0, begin);
  held_.erase(0, stopped_ ? held_.size() : begin);
  return shown;
}

std::string StopMatcher::finish() { return std::exchange(held_, {}); }

}  // namespace carat::engine
