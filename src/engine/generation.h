#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/token_id.h"
#include "engine/logprobs.h"

namespace carat::engine {

// The request left the queue. Comes before all other events.
struct Admitted {
  std::size_t prompt_tokens = 0;
  std::size_t cached_tokens = 0;  // of those, found in the KV cache
};

// Looking at the images of the prompt: `done` of `total` views that the KV cache does not hold.
struct ImageProgress {
  std::size_t done = 0;
  std::size_t total = 0;
};

// Reading the prompt: `done` of `total` tokens that were not in the cache.
struct PrefillProgress {
  std::size_t done = 0;
  std::size_t total = 0;
};

// The next tokens of the prompt, where GenerationRequest::prompt_logprobs asks for them.
struct PromptTokensEvent {
  struct Entry {
    TokenId token = 0;
    std::string bytes;                 // what it spells
    std::optional<Logprobs> logprobs;  // none for the first token, and for the soft tokens of images
  };
  std::size_t first = 0;  // position of entries[0]
  std::vector<Entry> entries;
};

// One token of the answer. `text` is what can be shown now: complete UTF-8, empty while a character or a stop
// string may be in the making, otherwise with what earlier tokens held back.
struct TokenEvent {
  TokenId token = 0;
  std::string bytes;  // what the token spells; part of a character where it is a byte of one
  std::string text;
  std::optional<Logprobs> logprobs;  // where SamplingParams::logprobs asks for them
};

// What was still held back when the answer ended.
struct TrailingText {
  std::string text;
};

using Event =
    std::variant<Admitted, ImageProgress, PrefillProgress, PromptTokensEvent, TokenEvent, TrailingText>;

enum class FinishReason : std::uint8_t {
  kStop,         // an end-of-generation token or a stop string
  kLength,       // max_tokens, or no room left in the context
  kInterrupted,  // the caller's stop_token
  kDeadline,     // the request's deadline passed
};

struct Usage {
  std::size_t prompt_tokens = 0;  // in all
  std::size_t cached_tokens = 0;  // of those, found in the KV cache
  std::size_t generated_tokens =
      0;                       // sampled, an end-of-generation token and those of a stop string included
  double queue_seconds = 0;    // from submission to admission
  double prefill_seconds = 0;  // from admission to the first sampled token, images included
  double decode_seconds = 0;   // from the first sampled token to the end
};

struct GenerationResult {
  std::string text;          // all texts of the events
  std::vector<TokenId> ids;  // decode to `text`: what prompt::Message::generated_ids wants
  FinishReason finish = FinishReason::kStop;
  bool context_full = false;  // kLength because the context is full, not because of max_tokens
  std::string stop_string;    // kStop because of this one of SamplingParams::stop; else empty
  std::uint64_t seed = 0;     // the one used: gives this text again
  Usage usage;
};

}  // namespace carat::engine
