#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace carat::tensor {

// How cached keys and values are stored: rounded to nearest even. What a half cannot hold becomes its largest
// number, since an infinite value would turn every sum it enters to NaN. f32 is for tests and parity runs.
enum class KvType : std::uint8_t { kF32, kF16, kBF16 };

constexpr std::size_t kv_type_bytes(KvType type) { return type == KvType::kF32 ? 4 : 2; }

// Positions per block. A block starts at a position that is a multiple of this.
inline constexpr std::size_t kKvBlockTokens = 64;
// Keys lie in panels of this many positions, so that one vector holds one dimension of a whole panel.
inline constexpr std::size_t kKvPanelKeys = 16;

// Layout of one layer's share of one block, in elements:
//   keys    [kv_heads][kKvBlockTokens / kKvPanelKeys][head_dim][kKvPanelKeys]
//   values  [kv_heads][kKvBlockTokens][head_dim]
// with the values of a head right after its keys.
struct KvShape {
  KvType type = KvType::kF16;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;

  std::size_t head_elements() const { return 2 * kKvBlockTokens * head_dim; }
  std::size_t layer_bytes() const { return kv_heads * head_elements() * kv_type_bytes(type); }

  // `slot` is the position modulo kKvBlockTokens.
  std::size_t key_index(std::size_t head, std::size_t slot, std::size_t d) const {
    const std::size_t panel = slot / kKvPanelKeys;
    return head * head_elements() + (panel * head_dim + d) * kKvPanelKeys + slot % kKvPanelKeys;
  }
  std::size_t value_index(std::size_t head, std::size_t slot, std::size_t d) const {
    return head * head_elements() + (kKvBlockTokens + slot) * head_dim + d;
  }
};

// The cache of one layer of one sequence: a view into blocks that somebody else owns.
struct KvLayer {
  KvShape shape;
  // blocks[p / kKvBlockTokens] holds position p; null where the block was freed (outside a local layer's
  // window).
  std::span<std::byte* const> blocks;
  std::size_t layer_offset = 0;  // bytes from the start of a block to this layer's share

  std::byte* block(std::size_t index) const { return blocks[index] + layer_offset; }
};

// Positions [begin, end) that one query row may see. Contiguous for causal, windowed and image rows alike.
struct KeyRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

}  // namespace carat::tensor
