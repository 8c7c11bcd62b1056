#pragma once

#include <cstddef>
#include <cstdint>

#include "model/config.h"

namespace carat::measure {

// What running a model costs, counted from its shapes: the yardstick that times are compared with.
struct ModelWork {
  model::GemmaConfig config;
  // All packed weights. A step that wants logits reads each byte once: Gemma's tied embedding is the head,
  // and the one row that is looked up does not count.
  std::uint64_t weight_bytes = 0;
  std::uint64_t kv_value_bytes = 2;  // of one cached number

  // Matrix weights and norm gains without the embedding.
  std::uint64_t non_embedding_parameters() const;
  std::uint64_t embedding_parameters() const;

  // Multiplications and additions, counted as two, of running `tokens` rows of which `heads` want logits:
  // 2 * tokens * non_embedding + 2 * heads * vocab * d_model. Attention is left out: it is under a tenth at
  // the depths that benches use, and leaving it out keeps the figure comparable over depths.
  std::uint64_t ops(std::uint64_t tokens, std::uint64_t heads) const;

  // Bytes of keys and values that a row at `position` reads: 2 * kv_width numbers for each visible position
  // of each layer, min(position + 1, window) of them in local layers.
  std::uint64_t kv_bytes(std::uint64_t position) const;

  // Bytes read by `steps` decode steps from `position` on: weights and cache, each step.
  std::uint64_t decode_bytes(std::uint64_t position, std::uint64_t steps) const;
};

}  // namespace carat::measure
