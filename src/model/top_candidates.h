#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/batch.h"

namespace carat::model {

// The `count` largest logits, best first, ties to the lower id; fewer when there are fewer. One pass over the
// logits with a heap of `count`. NaN is never among them.
std::vector<Candidate> top_candidates(std::span<const float> logits, std::size_t count);

}  // namespace carat::model
