#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "engine/load_model.h"
#include "engine/prompt_tokens.h"
#include "tensor/kv_block.h"

namespace carat::measure {

// Takes the logits of the next positions, [rows][vocabulary]; an error ends the run.
using TakeLogits = std::function<Result<>(std::span<const std::vector<float>> rows)>;

// The logits of every position of a prompt whose images were read, with the model's default adapters, `chunk`
// positions a step, or as many as an image has. They do not depend on the chunk. kFailed when the model's
// context is shorter than the prompt, kDoesNotFit when the KV cache cannot be allocated, kInterrupted when
// `stop` is requested.
Result<> prompt_logits(engine::LoadedModel& model, const engine::PromptTokens& prompt, tensor::KvType kv_type,
                       std::size_t chunk, const std::stop_token& stop, const TakeLogits& take);

}  // namespace carat::measure
