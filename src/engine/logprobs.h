#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/token_id.h"

namespace carat::engine {

struct TokenLogprob {
  TokenId token = 0;
  float logprob = 0.0F;    // natural logarithm
  std::string bytes = {};  // what the token spells; part of a character where it is a byte of one
};

// The model's own distribution at one position, before bias, penalties and temperature.
struct Logprobs {
  TokenLogprob chosen;            // the token that stands there
  std::vector<TokenLogprob> top;  // the most likely, best first, ties to the lower id
  double log_sum_exp = 0.0;       // of the logits: logprob = logit - log_sum_exp
};

// The soft-max of all logits [vocabulary] where `token` follows, with so many of the most likely; their bytes
// stay empty. kFailed when a logit is not a number.
Result<Logprobs> logprobs_of(std::span<const float> logits, TokenId token, std::size_t alternatives);

}  // namespace carat::engine
