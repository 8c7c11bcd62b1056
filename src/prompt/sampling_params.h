#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/token_id.h"

namespace carat::prompt {

struct LogitBias {
  TokenId token = 0;
  float bias = 0;  // added to the token's logit
};

// How the next token is chosen and when to stop. The defaults are those that Gemma 3 was released with.
struct SamplingParams {
  float temperature = 1.0F;         // 0 is greedy
  std::int32_t top_k = 64;          // 0 keeps all tokens
  float top_p = 0.95F;              // 1 keeps all; 0 keeps the most likely token
  float min_p = 0.0F;               // share of the top probability that a token needs; 0 keeps all
  float repetition_penalty = 1.0F;  // divides positive logits of tokens in prompt or answer; 1 is off
  float presence_penalty = 0.0F;    // subtracted once from tokens that are in the answer
  float frequency_penalty = 0.0F;   // subtracted once per occurrence in the answer
  std::vector<LogitBias> logit_bias;
  std::optional<std::uint64_t> seed;  // the same seed gives the same text; none: a fresh one each time
  // Of the answer; 0: the prompt is read and nothing generated; none: up to the end of the context.
  std::optional<std::uint32_t> max_tokens;
  std::vector<std::string> stop;         // the answer ends before the first of these
  std::optional<std::int32_t> logprobs;  // report each token's log-probability and this many alternatives

  static constexpr std::size_t kMaxLogitBiases = 1024;
  static constexpr std::size_t kMaxStopStrings = 16;
  static constexpr std::size_t kMaxStopBytes = 1024;  // of one stop string
  static constexpr std::int32_t kMaxLogprobs = 20;
};

// Checks every field (NaN included) for a vocabulary of `vocabulary_size` tokens. kUsage, naming the field,
// its value and the range it must be in.
Result<> validate(const SamplingParams& params, std::size_t vocabulary_size);

}  // namespace carat::prompt
