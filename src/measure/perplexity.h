#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token_id.h"
#include "engine/load_model.h"
#include "measure/sequence_model.h"
#include "tensor/kv_block.h"

namespace carat::measure {

// Rows of logits held at once: 64 rows of 262,144 floats are 64 MiB.
inline constexpr std::size_t kScoredRows = 64;

struct PerplexityOptions {
  std::size_t context = 512;  // tokens a chunk, at least 4
  std::size_t chunks = 0;     // the first so many; 0: all of the text
  tensor::KvType kv_type = tensor::KvType::kF16;
  std::size_t threads = 1;  // for the softmax over the vocabulary
};

struct PerplexityResult {
  double perplexity = 0;  // exp of the mean negative log-likelihood of the scored tokens
  double error = 0;       // its standard error: perplexity * sd(nll) / sqrt(scored - 1)
  std::size_t context = 0;
  std::size_t chunks = 0;  // done
  std::size_t scored = 0;  // tokens
};

// Called after each chunk with the result so far.
using PerplexityProgress = std::function<void(const PerplexityResult& so_far, std::size_t chunks)>;

// Perplexity of a text as llama-perplexity counts it, so that figures can be compared: the whole text with
// BOS in front is cut into chunks of `context` tokens, each chunk's first token is replaced by BOS, and the
// tokens of its second half are scored given what stands before them in the chunk. A last, shorter chunk is
// left out. kFailed when the text is shorter than two chunks, kUsage for a context that is too small.
Result<PerplexityResult> run_perplexity(engine::LoadedModel& model, std::string_view text,
                                        const PerplexityOptions& options, const PerplexityProgress& progress,
                                        const std::stop_token& stop);

// The same over tokens, which start with BOS, and any model.
Result<PerplexityResult> score_tokens(SequenceModel& sequence, std::span<const TokenId> tokens, TokenId bos,
                                      const PerplexityOptions& options, const PerplexityProgress& progress,
                                      const std::stop_token& stop);

// -log softmax(logits)[target], summed in f64. Not finite if a logit is not.
double negative_log_likelihood(std::span<const float> logits, TokenId target);

std::string perplexity_json(const PerplexityResult& result);

}  // namespace carat::measure
