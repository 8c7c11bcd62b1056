#pragma once

#include <cstddef>
#include <cstdint>

#include "model/kv_geometry.h"

namespace carat::model {

// How many KV blocks of each kind there may be.
struct KvCapacity {
  std::size_t global_blocks = 0;
  std::size_t local_blocks = 0;

  std::size_t bytes(const KvGeometry& geometry) const;
};

// What one sequence asks of the cache, in tokens.
struct KvLimits {
  std::size_t context_length = 0;   // positions in all
  std::size_t step_rows = 1;        // most rows of one step
  std::size_t rollback_tokens = 0;  // how far the end of the sequence can always be taken back
};

// Enough for one sequence at any length up to the context: global layers keep every position, local ones
// their window, the rows of a step and the slack for roll-back.
KvCapacity sequence_capacity(const KvGeometry& geometry, const KvLimits& limits);

// Blocks are cut from slabs: large enough for huge pages, small enough that a short conversation does not
// reserve address space for a long one. This many blocks make one, of `remaining` that are still allowed.
// block_bytes > 0.
std::size_t slab_blocks(std::size_t block_bytes, std::size_t remaining);

// Memory that the slabs of `blocks` blocks take once all are in use, whole pages included.
std::uint64_t resident_block_bytes(std::size_t block_bytes, std::size_t blocks);

}  // namespace carat::model
