#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "prompt/message.h"

namespace carat::terminal {

// What /save writes and /load reads.
struct Conversation {
  std::string system;                     // empty: none
  std::vector<prompt::Message> messages;  // user and assistant in turn, the user first
};

// A JSON object with "format", "version", "system" and "messages"; assistant messages carry their "ids".
std::string to_json(const Conversation& conversation);

// Reads that back. Nothing in the text is trusted: kFailed, naming `file`, the field, what was expected and
// what was found, for text that is no JSON, too deep, of another format or a later version, for roles out of
// turn and for ids that could be none. Whether the ids belong to their text is the caller's to check.
Result<Conversation> conversation_from_json(const std::string& file, const std::string& text);

}  // namespace carat::terminal
