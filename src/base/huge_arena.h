#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/huge_buffer.h"
#include "base/result.h"

namespace carat {

// Part of a slab of a HugeArena, 64-byte aligned and zeroed. The slab is unmapped with the last of its
// pieces.
class HugePiece {
 public:
  HugePiece() = default;

  std::size_t size() const { return bytes_.size(); }
  std::span<std::byte> bytes() { return bytes_; }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  friend class HugeArena;
  HugePiece(std::shared_ptr<HugeBuffer> slab, std::span<std::byte> bytes)
      : slab_(std::move(slab)), bytes_(bytes) {}

  std::shared_ptr<HugeBuffer> slab_;
  std::span<std::byte> bytes_;
};

// Hands out memory side by side in a few large mappings, so that many buffers of some megabytes do not end on
// a huge page each, and small ones lie in huge pages too. What a slab has left is not used again before all
// of it is free. Not thread-safe; pieces may be freed from any thread, and outlive the arena.
class HugeArena {
 public:
  // Address space of a slab. Only what was written takes memory, up to the end of its last huge page.
  static constexpr std::size_t kSlabBytes = std::size_t{256} << 20;

  // kDoesNotFit when the system refuses. Zero bytes give an empty piece.
  Result<HugePiece> allocate(std::size_t bytes);

  // Memory that pieces of these sizes occupy, allocated in this order from a new arena and all written.
  static std::uint64_t resident_bytes(std::span<const std::uint64_t> sizes);

 private:
  std::shared_ptr<HugeBuffer> slab_;  // pieces go into this one
  std::size_t used_ = 0;              // bytes of it
};

}  // namespace carat
