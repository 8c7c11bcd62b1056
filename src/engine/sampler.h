#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/token_id.h"
#include "base/token_set.h"
#include "engine/logprobs.h"
#include "engine/token_mask.h"
#include "model/batch.h"
#include "prompt/sampling_params.h"

namespace carat::engine {

// The tokens that penalties look at.
class TokenHistory {
 public:
  struct Uses {
    bool anywhere = false;        // in the prompt or the answer
    std::uint32_t in_answer = 0;  // times
  };

  void add_prompt(std::span<const TokenId> tokens);
  void add_answer(TokenId token);
  const std::unordered_map<TokenId, Uses>& uses() const { return uses_; }

 private:
  std::unordered_map<TokenId, Uses> uses_;
};

struct Choice {
  TokenId token = 0;
  std::optional<Logprobs> logprobs;  // where SamplingParams::logprobs asks for them
};

// Chooses a sequence's tokens. The order of steps, fixed (docs/sampling.md):
//   logit bias, repetition, frequency and presence penalty, temperature, top-k, top-p, min-p, draw.
// The draw depends on the seed, the position and the row's logits only, in f64 and in a fixed order, so the
// same logits give the same token on any machine.
class Sampler {
 public:
  // `params` must have passed prompt::validate(). The mask must outlive the sampler.
  Sampler(const prompt::SamplingParams& params, std::uint64_t seed, const TokenMask& mask);

  // How many of the best logits decide the choice, forbidden ones included; nullopt when all do.
  std::optional<std::size_t> candidates_needed() const;

  // Chooses the token at `position` from all logits [vocabulary], among those allowed; log-probabilities are
  // the model's own, whatever is allowed. kFailed when a logit is NaN or infinity, or no token is left.
  Result<Choice> choose(std::span<const float> logits, std::size_t position, const TokenHistory& history,
                        TokenSet allowed = {});

  // The same from the best candidates_needed() logits of what is allowed, or all where there are fewer.
  Result<Choice> choose(std::span<const model::Candidate> candidates, std::size_t position);

 private:
  struct Entry {
    TokenId token = 0;
    double logit = 0.0;
    double weight = 0.0;  // soft-max numerator, relative to the best token's
  };
  static bool ranks_before(const Entry& a, const Entry& b);

  Result<> gather(TokenId token, float logit);
  void adjust(const TokenHistory& history);
  Entry* find(TokenId token);
  // The soft-max over all tokens that the mask allows.
  Logprobs describe() const;
  Result<TokenId> choose_gathered(std::size_t position);
  void weigh();
  void truncate();

  prompt::SamplingParams params_;
  std::uint64_t seed_;
  const TokenMask& mask_;
  std::vector<Entry> entries_;  // scratch: the tokens in play, by id until they are ranked
};

}  // namespace carat::engine
