#include "engine/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/checked_math.h"
#include "tensor/kv_block.h"

namespace carat::engine {
namespace {

using tensor::kKvBlockTokens;

std::size_t blocks_for(std::size_t tokens) { return ceil_div(tokens, kKvBlockTokens); }

// First position that a local row at `position` sees: itself and the window - 1 positions before it.
std::size_t window_begin(std::size_t position, std::size_t window) {
  return position < window ? 0 : position - window + 1;
}

}  // namespace

Result<> BlockPool::add_slab() {
  const std::size_t count = model::slab_blocks(block_bytes_, capacity_ - carved_);
  CARAT_TRY(HugeBuffer slab, HugeBuffer::allocate(count * block_bytes_));
  // Pushed in reverse, so that blocks are handed out in the order of their addresses.
  for (std::size_t i = count; i > 0; --i) free_.push_back(slab.data() + (i - 1) * block_bytes_);
  carved_ += count;
  slabs_.push_back(std::move(slab));
  return {};
}

Result<std::byte*> BlockPool::acquire() {
  CARAT_CHECK(block_bytes_ > 0);
  if (free_.empty()) {
    if (carved_ == capacity_) {
      return fail(ErrorKind::kDoesNotFit,
                  "the KV cache is full: all {} blocks of {} tokens ({} KiB each) are in use", capacity_,
                  kKvBlockTokens, block_bytes_ >> 10);
    }
    CARAT_TRY_VOID(add_slab());
  }
  std::byte* block = free_.back();
  free_.pop_back();
  ++in_use_;
  return block;
}

void BlockPool::release(std::byte* block) {
  CARAT_CHECK(block != nullptr && in_use_ > 0);
  if (const auto shared = extra_owners_.find(block); shared != extra_owners_.end()) {
    if (--shared->second == 0) extra_owners_.erase(shared);
    return;
  }
  free_.push_back(block);
  --in_use_;
}

std::size_t KvPool::bytes_in_use() const {
  return global_.in_use() * global_.block_bytes() + local_.in_use() * local_.block_bytes();
}

KvSequence::~KvSequence() { release_blocks_from(0); }

void KvSequence::share_prefix(const KvSequence& source, std::size_t length) {
  CARAT_CHECK(&pool_ == &source.pool_ && global_blocks_.empty() && source.can_truncate(length));
  const auto share = [blocks = blocks_for(length)](BlockPool& pool, const std::vector<std::byte*>& from,
                                                   std::vector<std::byte*>& to) {
    to.assign(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(blocks));
    for (std::byte* block : to) {
      if (block != nullptr) pool.share(block);
    }
  };
  share(pool_.global(), source.global_blocks_, global_blocks_);
  share(pool_.local(), source.local_blocks_, local_blocks_);
  first_local_block_ = std::min(source.first_local_block_, local_blocks_.size());
  length_ = length;
}

Result<> KvSequence::prepare(std::size_t rows) {
  free_unseen_local_blocks();
  const std::size_t blocks = blocks_for(length_ + rows);
  auto made = own_tail(pool_.global(), global_blocks_);
  if (made) made = own_tail(pool_.local(), local_blocks_);
  if (made) made = extend(pool_.global(), global_blocks_, blocks);
  if (made) made = extend(pool_.local(), local_blocks_, blocks);
  if (!made) release_blocks_from(blocks_for(length_));
  return made;
}

void KvSequence::advance(std::size_t rows) {
  CARAT_CHECK(blocks_for(length_ + rows) <= global_blocks_.size());
  length_ += rows;
}

bool KvSequence::can_truncate(std::size_t length) const {
  if (length > length_) return false;
  return length == 0 ||
         window_begin(length, pool_.geometry().sliding_window()) >= first_local_block_ * kKvBlockTokens;
}

void KvSequence::truncate(std::size_t length) {
  CARAT_CHECK(can_truncate(length));
  length_ = length;
  release_blocks_from(blocks_for(length));
}

void KvSequence::free_unseen_local_blocks() {
  const std::size_t earliest_row = length_ - std::min(length_, rollback_tokens_);
  const std::size_t seen_from =
      window_begin(earliest_row, pool_.geometry().sliding_window()) / kKvBlockTokens;
  for (; first_local_block_ < seen_from; ++first_local_block_) {
    std::byte*& block = local_blocks_[first_local_block_];
    if (block != nullptr) pool_.local().release(block);
    block = nullptr;
  }
}

void KvSequence::release_blocks_from(std::size_t first_block) {
  const auto shrink = [first_block](BlockPool& pool, std::vector<std::byte*>& table) {
    for (; table.size() > first_block; table.pop_back()) {
      if (table.back() != nullptr) pool.release(table.back());
    }
  };
  shrink(pool_.global(), global_blocks_);
  shrink(pool_.local(), local_blocks_);
  first_local_block_ = std::min(first_local_block_, first_block);
}

// Positions from length() on are about to be written, the first of them perhaps into a block that others
// read.
Result<> KvSequence::own_tail(BlockPool& pool, std::vector<std::byte*>& table) {
  const std::size_t tail = length_ / kKvBlockTokens;
  if (tail >= table.size() || table[tail] == nullptr || !pool.is_shared(table[tail])) return {};
  CARAT_TRY(std::byte * copy, pool.acquire());
  std::memcpy(copy, table[tail], pool.block_bytes());
  pool.release(std::exchange(table[tail], copy));
  return {};
}

Result<> KvSequence::extend(BlockPool& pool, std::vector<std::byte*>& table, std::size_t blocks) {
  while (table.size() < blocks) {
    std::byte* block = nullptr;
    if (pool.block_bytes() > 0) {
      CARAT_TRY(block, pool.acquire());
    }
    table.push_back(block);
  }
  return {};
}

}  // namespace carat::engine
