#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "prompt/sampling_params.h"

namespace carat::store {

// How an answer was sampled, as a JSON object with every field but the seed, which has a column of its own.
std::string sampling_to_json(const prompt::SamplingParams& sampling);

// The reverse; kFailed names the field that is not as prompt::validate() wants it.
Result<prompt::SamplingParams> sampling_from_json(std::string_view json);

}  // namespace carat::store
