#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "base/token_id.h"
#include "engine/load_model.h"
#include "tensor/kv_block.h"

namespace carat::measure {

// One sequence of a model, fed from its start. What the bench and the perplexity run measure; their tests put
// a scripted one in its place.
class SequenceModel {
 public:
  virtual ~SequenceModel() = default;

  // Forgets the sequence: the next token has position 0.
  virtual void reset() = 0;

  // Appends tokens as one batch. The last `logit_rows` of them yield their logits, [logit_rows][vocabulary],
  // valid until the next call. kInterrupted when `stop` is requested.
  virtual Result<std::span<const std::vector<float>>> append(std::span<const TokenId> tokens,
                                                             std::size_t logit_rows,
                                                             const std::stop_token& stop) = 0;
};

// Prefill goes through the model in batches of this many tokens, as peers' benches do (their -ub).
inline constexpr std::size_t kPrefillTokens = 512;

// A sequence of at most `max_tokens` over a loaded model, which must outlive it, and its default adapters.
// kDoesNotFit when the KV cache cannot be allocated, kUsage when the model's context is shorter.
Result<std::unique_ptr<SequenceModel>> make_sequence_model(engine::LoadedModel& model, std::size_t max_tokens,
                                                           tensor::KvType kv_type = tensor::KvType::kF16);

}  // namespace carat::measure
