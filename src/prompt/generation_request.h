#pragma once

#include <vector>

#include "prompt/adapter_use.h"
#include "prompt/piece.h"
#include "prompt/sampling_params.h"

namespace carat::prompt {

// What an engine is asked for: one answer to one prompt. Generation also ends at any of the model's
// end-of-generation tokens, which are never part of the answer.
struct GenerationRequest {
  std::vector<Piece> prompt;
  SamplingParams sampling;
  std::vector<AdapterUse> adapters = {};  // applied together, in this order
};

}  // namespace carat::prompt
