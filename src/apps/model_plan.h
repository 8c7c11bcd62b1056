#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "apps/open_model.h"
#include "apps/runtime.h"
#include "base/result.h"
#include "model/checkpoint.h"
#include "planner/memory_plan.h"

namespace carat::apps {

// The context length of -c, otherwise 4096 or the model's maximum.
std::size_t context_length(const Runtime& runtime, const model::GemmaConfig& config);

// How the settings would have a model run.
planner::PlanRequest plan_request(const Runtime& runtime, const model::GemmaConfig& config);

// Memory that this process may still take; nullopt where that cannot be found out.
std::optional<std::uint64_t> memory_here();

// kDoesNotFit, with the plan's figures and what would fit, when the machine has no room for the model run
// like this beside so many bytes of adapters. Where free memory cannot be found out, nothing is refused.
Result<> require_memory(const Runtime& runtime, const model::Checkpoint& checkpoint, const ModelUse& use,
                        std::uint64_t adapter_bytes);

}  // namespace carat::apps
