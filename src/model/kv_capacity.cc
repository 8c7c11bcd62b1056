#include "model/kv_capacity.h"

#include <algorithm>

#include "base/checked_math.h"
#include "base/huge_buffer.h"

namespace carat::model {
namespace {

using tensor::kKvBlockTokens;

constexpr std::size_t kSlabBytes = std::size_t{16} << 20;

}  // namespace

std::size_t KvCapacity::bytes(const KvGeometry& geometry) const {
  return global_blocks * geometry.global_block_bytes() + local_blocks * geometry.local_block_bytes();
}

KvCapacity sequence_capacity(const KvGeometry& geometry, const KvLimits& limits) {
  const std::size_t all = ceil_div(limits.context_length, kKvBlockTokens);
  // A run of n positions touches at most this many blocks, wherever it starts.
  const std::size_t kept = geometry.sliding_window() - 1 + limits.rollback_tokens + limits.step_rows;
  const std::size_t touched = ceil_div(kept + kKvBlockTokens - 1, kKvBlockTokens);
  return {.global_blocks = all, .local_blocks = std::min(all, touched)};
}

std::size_t slab_blocks(std::size_t block_bytes, std::size_t remaining) {
  return std::min(std::max<std::size_t>(1, kSlabBytes / block_bytes), remaining);
}

std::uint64_t resident_block_bytes(std::size_t block_bytes, std::size_t blocks) {
  if (block_bytes == 0 || blocks == 0) return 0;
  const std::size_t per_slab = slab_blocks(block_bytes, blocks);
  return blocks / per_slab * HugeBuffer::resident_bytes(per_slab * block_bytes) +
         HugeBuffer::resident_bytes(blocks % per_slab * block_bytes);
}

}  // namespace carat::model
