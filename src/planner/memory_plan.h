#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/config.h"
#include "model/kv_capacity.h"
#include "model/vision_packing.h"
#include "planner/precision.h"
#include "tensor/kv_block.h"

namespace carat::planner {

// How a model is to be run.
struct PlanRequest {
  std::size_t context_length = 4096;  // tokens of each user's conversation, full
  std::size_t users = 1;              // conversations in the KV cache at once
  tensor::KvType kv_type = tensor::KvType::kF16;

  std::size_t threads = 1;
  std::size_t prefill_chunk = 512;     // rows of one step
  std::size_t rollback_tokens = 1024;  // of each conversation
  std::size_t logit_rows = 1;          // rows of one step whose logits are wanted
  bool exact_activations = false;
  std::uint64_t adapter_bytes = 0;                    // of LoRA adapters, packed
  std::optional<model::VisionPrecision> vision = {};  // nullopt: the image tower is not loaded

  // Room to set aside for what may be switched on later.
  std::size_t snapshots = 0;                          // copies of a sliding window's keys and values, a user
  std::optional<tensor::ElementType> head_copy = {};  // a second head, of fewer bits, for drafting

  model::KvLimits kv_limits() const;
};

// What memory is needed for.
enum class PlanItem : std::uint8_t {
  kDecoder,
  kEmbedding,
  kHead,
  kVisionTower,
  kAdapters,
  kKvGlobal,
  kKvLocal,
  kActivations,
  kVisionActivations,
  kSnapshots,
  kHeadCopy,
  kTokenizer,
  kProgram,
  kPageRounding,  // the rest of the last page of each buffer and each slab of weights
};
inline constexpr std::size_t kPlanItemCount = 14;

std::string_view name_of(PlanItem item);         // "kv_global"
std::string_view description_of(PlanItem item);  // "KV cache, global layers"

// Bytes by purpose, in the order of PlanItem. Every item is there, also with 0.
struct MemoryPlan {
  std::vector<std::uint64_t> bytes;  // [kPlanItemCount]

  std::uint64_t of(PlanItem item) const { return bytes[static_cast<std::size_t>(item)]; }
  std::uint64_t total() const;
  std::uint64_t kv() const { return of(PlanItem::kKvGlobal) + of(PlanItem::kKvLocal); }
};

// What a process needs at most that loads the model and fills the context of every user. The request's
// numbers are positive, its context no longer than the model's.
MemoryPlan plan_memory(const model::GemmaConfig& config, const TensorTypes& types,
                       const PlanRequest& request);

}  // namespace carat::planner
