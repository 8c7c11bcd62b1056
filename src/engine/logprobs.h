#pragma once

#include <string>
#include <vector>

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

}  // namespace carat::engine
