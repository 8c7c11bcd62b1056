#include "base/huge_arena.h"

#include <algorithm>

#include "base/checked_math.h"

namespace carat {
namespace {

constexpr std::size_t kAlignment = 64;

// The allocation rule, which allocate() and resident_bytes() share: a piece that the slab has no room for
// begins another, of its own size where it is larger than a slab.
bool has_room(std::size_t slab_bytes, std::size_t used, std::size_t bytes) {
  return used <= slab_bytes && bytes <= slab_bytes - used;
}

std::size_t new_slab_bytes(std::size_t bytes) { return std::max(HugeArena::kSlabBytes, bytes); }

}  // namespace

Result<HugePiece> HugeArena::allocate(std::size_t bytes) {
  if (bytes == 0) return HugePiece();
  if (!slab_ || !has_room(slab_->size(), used_, bytes)) {
    CARAT_TRY(HugeBuffer slab, HugeBuffer::allocate(new_slab_bytes(bytes)));
    slab_ = std::make_shared<HugeBuffer>(std::move(slab));
    used_ = 0;
  }
  HugePiece piece(slab_, slab_->bytes().subspan(used_, bytes));
  used_ = round_up(used_ + bytes, kAlignment);
  return piece;
}

std::uint64_t HugeArena::resident_bytes(std::span<const std::uint64_t> sizes) {
  std::uint64_t resident = 0;
  std::size_t slab = 0;
  std::size_t used = 0;
  for (const std::uint64_t bytes : sizes) {
    if (!has_room(slab, used, bytes)) {
      resident += round_up(used, HugeBuffer::kHugePage);
      slab = new_slab_bytes(bytes);
      used = 0;
    }
    used = round_up(used + bytes, kAlignment);
  }
  return resident + round_up(used, HugeBuffer::kHugePage);
}

}  // namespace carat
