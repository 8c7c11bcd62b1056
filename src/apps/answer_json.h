#pragma once

#include <span>
#include <string>

#include "engine/generation.h"
#include "engine/load_model.h"

namespace carat::apps {

// What `carat run --json` prints: text, ids, finish reason, seed, usage, and log-probabilities where asked
// for.
std::string answer_json(const engine::LoadedModel& model, const engine::GenerationResult& result,
                        std::span<const engine::Logprobs> logprobs);

}  // namespace carat::apps
