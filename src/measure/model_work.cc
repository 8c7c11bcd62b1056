#include "measure/model_work.h"

#include <algorithm>

namespace carat::measure {

std::uint64_t ModelWork::non_embedding_parameters() const {
  const std::uint64_t d = config.d_model;
  const std::uint64_t attention = 2 * d * config.q_width() + 2 * d * config.kv_width();
  const std::uint64_t mlp = 3 * d * config.ffn;
  const std::uint64_t norms = 4 * d + 2 * config.head_dim;
  return config.layers * (attention + mlp + norms) + d;
}

std::uint64_t ModelWork::embedding_parameters() const {
  return static_cast<std::uint64_t>(config.vocab) * config.d_model;
}

std::uint64_t ModelWork::ops(std::uint64_t tokens, std::uint64_t heads) const {
  return 2 * tokens * non_embedding_parameters() + 2 * heads * embedding_parameters();
}

std::uint64_t ModelWork::kv_bytes(std::uint64_t position) const {
  std::uint64_t visible = 0;
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    visible +=
        config.is_global(layer) ? position + 1 : std::min<std::uint64_t>(position + 1, config.sliding_window);
  }
  return visible * 2 * config.kv_width() * kv_value_bytes;
}

std::uint64_t ModelWork::decode_bytes(std::uint64_t position, std::uint64_t steps) const {
  std::uint64_t bytes = steps * weight_bytes;
  for (std::uint64_t step = 0; step < steps; ++step) bytes += kv_bytes(position + step);
  return bytes;
}

}  // namespace carat::measure
