#pragma once

#include <cstdint>

#include "model/config.h"
#include "model/vision_packing.h"
#include "planner/memory_plan.h"
#include "planner/weights.h"

namespace carat::planner {

// Everything between the operations of a step of the largest size that the request allows: the residual
// stream, the blocks' scratch, quantized rows, rotations, logits, and the backend's scratch.
std::uint64_t activation_bytes(const model::GemmaConfig& config, const TextWeights& weights,
                               const PlanRequest& request);

// The same for one image, keys and values of the tower included.
std::uint64_t vision_activation_bytes(const model::VisionConfig& config, model::VisionPrecision precision);

}  // namespace carat::planner
