#pragma once

#include <string>
#include <vector>

#include "base/token_id.h"
#include "prompt/image.h"

namespace carat::prompt {

enum class Role { kSystem, kUser, kAssistant };

// One message of a conversation, as people see it.
struct Message {
  Role role = Role::kUser;
  std::string text = {};
  // Assistant messages only: the ids that the model generated, without the one that ended the turn. Where
  // they are given the prompt is rendered from them, so that it repeats what the KV cache holds: encoding
  // `text` anew often gives other ids. Empty: `text` is encoded.
  std::vector<TokenId> generated_ids = {};
  std::vector<Image> images = {};  // user messages only: shown before the text
};

}  // namespace carat::prompt
