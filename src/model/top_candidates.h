#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/token_set.h"
#include "model/batch.h"

namespace carat::model {

// The `count` largest logits of `allowed` tokens, best first, ties to the lower id; fewer when there are
// fewer. One pass over the logits with a heap of `count`. NaN is never among them. Logits of other tokens are
// not looked at.
std::vector<Candidate> top_candidates(std::span<const float> logits, std::size_t count,
                                      TokenSet allowed = {});

}  // namespace carat::model
