#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "base/huge_buffer.h"
#include "base/result.h"
#include "model/kv_capacity.h"
#include "model/kv_geometry.h"

namespace carat::engine {

// Equal blocks cut from slabs. A slab is allocated when the first of its blocks is asked for and the system
// backs it page by page as it is written, so unused capacity costs no memory. A block keeps its old contents
// when it is handed out again.
class BlockPool {
 public:
  // No block is ever handed out when block_bytes is 0: the model has no layer of that kind.
  BlockPool(std::size_t block_bytes, std::size_t capacity) : block_bytes_(block_bytes), capacity_(capacity) {}

  // kDoesNotFit when all are in use, or the system refuses memory for a slab.
  Result<std::byte*> acquire();
  // One more owner of a block in use; it is free once each of them has released it.
  void share(std::byte* block) { ++extra_owners_[block]; }
  void release(std::byte* block);
  bool is_shared(std::byte* block) const { return extra_owners_.contains(block); }

  std::size_t block_bytes() const { return block_bytes_; }
  std::size_t capacity() const { return capacity_; }
  std::size_t in_use() const { return in_use_; }

 private:
  Result<> add_slab();

  std::size_t block_bytes_;
  std::size_t capacity_;
  std::size_t in_use_ = 0;
  std::size_t carved_ = 0;        // blocks in slabs, free or not
  std::vector<std::byte*> free_;  // last freed, first reused: its pages are there already
  std::vector<HugeBuffer> slabs_;
  std::unordered_map<std::byte*, std::size_t> extra_owners_;  // of blocks with more than one
};

// The blocks that the sequences of one model share. Not thread-safe.
class KvPool {
 public:
  KvPool(const model::KvGeometry& geometry, const model::KvCapacity& capacity)
      : geometry_(geometry),
        global_(geometry.global_block_bytes(), capacity.global_blocks),
        local_(geometry.local_block_bytes(), capacity.local_blocks) {}

  const model::KvGeometry& geometry() const { return geometry_; }
  BlockPool& global() { return global_; }
  BlockPool& local() { return local_; }
  // Bytes of the blocks in use, both kinds.
  std::size_t bytes_in_use() const;

 private:
  model::KvGeometry geometry_;
  BlockPool global_;
  BlockPool local_;
};

// The keys and values of one sequence: block tables over a pool that outlives it. Positions [0, length()) are
// cached; of local layers only those that a row at length() - rollback_tokens or later may still see.
//
//   prepare(rows); model.forward(rows at length() ...); advance(rows);
//
// A step that failed is not advanced over and may be prepared anew. Sequences with the same beginning may
// share its blocks: who writes to a block that has other owners gets a copy of its own first.
class KvSequence {
 public:
  KvSequence(KvPool& pool, std::size_t rollback_tokens) : pool_(pool), rollback_tokens_(rollback_tokens) {}
  ~KvSequence();
  KvSequence(const KvSequence&) = delete;
  KvSequence& operator=(const KvSequence&) = delete;

  // Makes this sequence, which is empty, hold the first `length` positions of another one of the same pool,
  // which could be truncated to them. Copies nothing.
  void share_prefix(const KvSequence& source, std::size_t length);

  // Frees local blocks that can no longer be seen and makes blocks for positions [length(), length() + rows).
  // kDoesNotFit when the pool has none left; the sequence is then as it was.
  Result<> prepare(std::size_t rows);

  // The prepared rows were written.
  void advance(std::size_t rows);

  // Whether every key that a row at `length` may see is still here: true for 0, for the rollback_tokens
  // lengths before the longest that a step began at, and for all while nothing has been freed.
  bool can_truncate(std::size_t length) const;

  // Forgets positions from `length` on. can_truncate(length) must hold.
  void truncate(std::size_t length);

  // Valid until the next call that is not const.
  model::SequenceKv view() const { return {global_blocks_, local_blocks_}; }
  std::size_t length() const { return length_; }

 private:
  void free_unseen_local_blocks();
  void release_blocks_from(std::size_t first_block);
  Result<> own_tail(BlockPool& pool, std::vector<std::byte*>& table);
  Result<> extend(BlockPool& pool, std::vector<std::byte*>& table, std::size_t blocks);

  KvPool& pool_;
  std::size_t rollback_tokens_;
  std::size_t length_ = 0;
  std::size_t first_local_block_ = 0;  // local blocks before this one were freed
  std::vector<std::byte*> global_blocks_;
  std::vector<std::byte*> local_blocks_;  // null before first_local_block_
};

}  // namespace carat::engine
