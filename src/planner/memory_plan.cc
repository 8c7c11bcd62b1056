#include "planner/memory_plan.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/checked_math.h"
#include "base/huge_arena.h"
#include "planner/activations.h"
#include "planner/weights.h"

namespace carat::planner {
namespace {

using enum PlanItem;

struct ItemInfo {
  PlanItem item;
  std::string_view name;
  std::string_view description;
};

constexpr std::array<ItemInfo, kPlanItemCount> kItems = {{
    {kDecoder, "decoder", "weights: layers"},
    {kEmbedding, "embedding", "weights: embedding"},
    {kHead, "head", "weights: separate head"},
    {kVisionTower, "vision_tower", "weights: image tower"},
    {kAdapters, "adapters", "weights: LoRA adapters"},
    {kKvGlobal, "kv_global", "KV cache: global layers"},
    {kKvLocal, "kv_local", "KV cache: sliding windows"},
    {kActivations, "activations", "activations"},
    {kVisionActivations, "vision_activations", "activations: image tower"},
    {kSnapshots, "snapshots", "room for snapshots"},
    {kHeadCopy, "head_copy", "room for a head copy"},
    {kTokenizer, "tokenizer", "tokenizer"},
    {kProgram, "program", "program"},
    {kPageRounding, "page_rounding", "rounding to whole pages"},
}};

// A vocabulary of Gemma's size, counted over its tables (see tokenizer/vocabulary.h): texts, their ends,
// kinds, ranks, pieces by rank, and the open-addressing table of twice as many slots.
constexpr std::uint64_t kTokenizerBytesPerPiece = 8 + 4 + 1 + 4 + 4 + 8;

// Code, libraries, stacks, and what the allocator keeps of what loading needed: measured, docs/planner.md.
constexpr std::uint64_t kProgramBytes = std::uint64_t{16} << 20;

}  // namespace

std::string_view name_of(PlanItem item) { return kItems[static_cast<std::size_t>(item)].name; }

std::string_view description_of(PlanItem item) { return kItems[static_cast<std::size_t>(item)].description; }

model::KvLimits PlanRequest::kv_limits() const {
  return {.context_length = context_length,
          .step_rows = std::min(prefill_chunk, context_length),
          .rollback_tokens = std::min(rollback_tokens, context_length)};
}

std::uint64_t MemoryPlan::total() const {
  return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0});
}

MemoryPlan plan_memory(const model::GemmaConfig& config, const TensorTypes& types,
                       const PlanRequest& request) {
  MemoryPlan plan{std::vector<std::uint64_t>(kPlanItemCount, 0)};
  const auto set = [&plan](PlanItem item, std::uint64_t bytes) {
    plan.bytes[static_cast<std::size_t>(item)] = bytes;
  };
  std::uint64_t rounding = 0;

  const TextWeights weights = text_weights(config, types);
  set(kDecoder, weights.decoder.packed);
  set(kEmbedding, weights.embedding.packed);
  set(kHead, weights.head.packed);
  // Packed matrices in the order in which they are loaded: they lie side by side.
  std::vector<std::uint64_t> matrices = weights.matrices;
  if (request.head_copy) {
    matrices.push_back(matrix_bytes(*request.head_copy, config.vocab, config.d_model).packed);
    set(kHeadCopy, matrices.back());
  }
  set(kAdapters, request.adapter_bytes);
  matrices.push_back(request.adapter_bytes);
  if (config.vision && request.vision) {
    const VisionWeights vision = vision_weights(*config.vision, *request.vision);
    set(kVisionTower, vision.all.packed);
    set(kVisionActivations, vision_activation_bytes(*config.vision, *request.vision));
    matrices.insert(matrices.end(), vision.matrices.begin(), vision.matrices.end());
  }
  rounding += HugeArena::resident_bytes(matrices) -
              std::accumulate(matrices.begin(), matrices.end(), std::uint64_t{0});

  const model::KvGeometry geometry(config, request.kv_type);
  const model::KvCapacity capacity = model::sequence_capacity(geometry, request.kv_limits());
  const auto add_blocks = [&](PlanItem item, std::size_t block_bytes, std::size_t blocks) {
    set(item, block_bytes * blocks);
    rounding += model::resident_block_bytes(block_bytes, blocks) - block_bytes * blocks;
  };
  add_blocks(kKvGlobal, geometry.global_block_bytes(), capacity.global_blocks * request.users);
  add_blocks(kKvLocal, geometry.local_block_bytes(), capacity.local_blocks * request.users);
  const model::KvCapacity window = model::sequence_capacity(
      geometry, {.context_length = request.context_length, .step_rows = 0, .rollback_tokens = 0});
  set(kSnapshots, request.snapshots * request.users * window.local_blocks * geometry.local_block_bytes());

  set(kActivations, activation_bytes(config, weights, request));
  set(kTokenizer, config.vocab * kTokenizerBytesPerPiece);
  set(kProgram, kProgramBytes);
  set(kPageRounding, rounding);
  return plan;
}

}  // namespace carat::planner
