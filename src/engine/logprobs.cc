#include "engine/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/portable_math.h"
#include "model/top_candidates.h"

namespace carat::engine {

Result<Logprobs> logprobs_of(std::span<const float> logits, TokenId token, std::size_t alternatives) {
  double best = -std::numeric_limits<double>::infinity();
  for (const float logit : logits) {
    if (std::isnan(logit) || logit == std::numeric_limits<float>::infinity())
      return fail(ErrorKind::kFailed, "the model gave a logit of {}, expected a finite number", logit);
    best = std::max<double>(best, logit);
  }
  double sum = 0.0;
  for (const float logit : logits) sum += portable_exp(logit - best);
  Logprobs out;
  out.log_sum_exp = best + portable_log(sum);
  const auto entry = [&](TokenId id, float logit) {
    return TokenLogprob{id, static_cast<float>(logit - out.log_sum_exp), {}};
  };
  out.chosen = entry(token, logits[static_cast<std::size_t>(token)]);
  if (alternatives > 0) {
    for (const model::Candidate& candidate : model::top_candidates(logits, alternatives))
      out.top.push_back(entry(candidate.token, candidate.logit));
  }
  return out;
}

}  // namespace carat::engine
