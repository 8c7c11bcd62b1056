#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace carat::chat {

// The transcript that the `dialogue` style writes marks turns with these lines. Texts must not contain such a
// marker: it would open a turn, or end an answer that quotes it. A marker is told by what a model would take
// for one: a #, a role in any case, a colon, blanks between them.
inline constexpr std::string_view kUserMarker = "### User:";
inline constexpr std::string_view kAssistantMarker = "### Assistant:";

// Puts a backslash before the colon of each marker; restore_markers() takes it out again. Markers that
// already have backslashes there get one more, so that restore_markers(neutralise_markers(text)) == text for
// every text.
std::string neutralise_markers(std::string_view text);
std::string restore_markers(std::string_view text);

std::vector<std::string> dialogue_stop_strings();

}  // namespace carat::chat
