#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "prompt/generation_request.h"

namespace carat::server {

// How many tokens a request may use: its prompts, each counted once for its `choices_of_prompt` choices, and
// the longest answers that it allows. Without a tokenizer, so a guess where there is text; no more than what
// the contexts hold.
std::int64_t most_tokens(std::span<const prompt::GenerationRequest> choices, std::size_t choices_of_prompt,
                         std::size_t context_length);

}  // namespace carat::server
