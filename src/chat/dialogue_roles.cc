#include "chat/dialogue_roles.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace carat::chat {
namespace {

constexpr std::array<std::string_view, 3> kRoles = {"user", "assistant", "system"};

std::size_t blanks(std::string_view text) { return std::min(text.find_first_not_of(" \t"), text.size()); }

bool starts_with_word(std::string_view text, std::string_view lower_case) {
  return text.size() >= lower_case.size() &&
         std::ranges::equal(text.substr(0, lower_case.size()), lower_case,
                            [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

struct Marker {
  std::size_t before_colon = 0;  // bytes from the # up to the backslashes or the colon; 0: no marker
  std::size_t backslashes = 0;
};

// The marker that begins with text[0], which is a #.
Marker marker_at(std::string_view text) {
  std::size_t at = 1 + blanks(text.substr(1));
  const auto role =
      std::ranges::find_if(kRoles, [&](auto r) { return starts_with_word(text.substr(at), r); });
  if (role == kRoles.end()) return {};
  at += role->size();
  at += blanks(text.substr(at));
  const std::size_t colon = std::min(text.find_first_not_of('\\', at), text.size());
  if (colon == text.size() || text[colon] != ':') return {};
  return {.before_colon = at, .backslashes = colon - at};
}

// Copies `text`, giving each marker `change(backslashes)` of them.
template <class Change>
std::string rewrite_markers(std::string_view text, Change change) {
  std::string out;
  out.reserve(text.size());
  while (true) {
    const std::size_t hash = std::min(text.find('#'), text.size());
    out.append(text.substr(0, hash));
    text.remove_prefix(hash);
    if (text.empty()) return out;
    const Marker marker = marker_at(text);
    const std::size_t length = std::max<std::size_t>(marker.before_colon, 1);
    out.append(text.substr(0, length));
    text.remove_prefix(length);
    if (marker.before_colon == 0) continue;
    out.append(change(marker.backslashes), '\\');
    text.remove_prefix(marker.backslashes);
  }
}

}  // namespace

std::string neutralise_markers(std::string_view text) {
  return rewrite_markers(text, [](std::size_t backslashes) { return backslashes + 1; });
}

std::string restore_markers(std::string_view text) {
  return rewrite_markers(text,
                         [](std::size_t backslashes) { return backslashes == 0 ? 0 : backslashes - 1; });
}

std::vector<std::string> dialogue_stop_strings() {
  std::vector<std::string> stop;
  // The longest first, so that the blank line before a marker is not left at the end of the answer.
  for (const std::string_view lines : {"\n\n", "\n", ""}) {
    for (const std::string_view marker : {kUserMarker, kAssistantMarker}) {
      stop.push_back(std::string(lines).append(marker));
    }
  }
  return stop;
}

}  // namespace carat::chat
