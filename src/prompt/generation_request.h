#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "prompt/adapter_use.h"
#include "prompt/constraint.h"
#include "prompt/message.h"
#include "prompt/piece.h"
#include "prompt/sampling_params.h"

namespace carat::prompt {

// What an engine is asked for: one answer to one prompt. Generation also ends at any of the model's
// end-of-generation tokens, which are never part of the answer.
struct GenerationRequest {
  std::vector<Piece> prompt;
  SamplingParams sampling;
  std::vector<AdapterUse> adapters = {};  // applied together, in this order
  // What the answer must be; none: free text. Its end is then that of the constraint, or max_tokens.
  std::optional<Constraint> constraint = {};
  // The conversation that `prompt` was rendered from, if there is one: what an engine wants whose server
  // renders prompts itself.
  std::vector<Message> messages = {};
  // The prompt starts with exactly one BOS, whether its pieces bring one or not. false: it stays as it is.
  bool one_bos = true;

  // Whom the request is for. Owners take turns, and one never finds another's prompts in the KV cache.
  std::string owner = {};
  bool reuse_cache = true;  // false: the prompt is read from its beginning
  // A time of the engine's clock at which the request ends, whatever there is by then.
  std::optional<std::chrono::nanoseconds> deadline = {};
  // Report the log-probability of every token of the prompt and this many alternatives. The prompt is then
  // read from its beginning.
  std::optional<std::int32_t> prompt_logprobs = {};

  static constexpr std::size_t kMaxOwnerBytes = 256;
};

// Checks every field but the prompt for a vocabulary of `vocabulary_size` tokens. kUsage, naming the field,
// its value and the range it must be in.
Result<> validate(const GenerationRequest& request, std::size_t vocabulary_size);

}  // namespace carat::prompt
