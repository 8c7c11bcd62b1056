#pragma once

#include <cstddef>
#include <cstdint>

namespace carat::kernels {

// What attention of all rows over all rows multiplies.
enum class DenseType : std::uint8_t {
  kF32,
  kBf16,  // queries, keys, values and softmax weights rounded to bfloat16
  kInt8,  // the same in 8 bits: queries and keys with a scale a row, values with one a dimension and tile
};

inline constexpr std::size_t kDenseQueries = 32;  // of a tile
// Keys of a tile: their weights are relative to the largest of them, and their sum is exact in int8.
inline constexpr std::size_t kDenseKeys = 256;
// What the numbers of keys, and dimensions of values, are rounded up to: how many a kernel takes at once.
inline constexpr std::size_t kDenseRows = 8;

// Where the parts of one head's keys and values lie, as packed for the tiles: words of 4 bytes, each of them
// 1, 2 or 4 numbers that one instruction multiplies and adds in a lane.
//   keys        [key_rows][key_words]: one key after another
//   key_scale   [key_rows] f32, int8 only
//   key_sum     [key_rows] i32, int8 only: minus the sum of a key's codes
//   values      [value_rows][value_dims]: a word holds the same dimension of successive keys
//   value_scale [tiles][value_dims] f32, int8 only
//   value_sum   [tiles][value_dims] i32, int8 only: the sum of the codes
struct DenseLayout {
  DenseType type = DenseType::kF32;
  std::size_t tokens = 0;
  std::size_t head_dim = 0;

  constexpr std::size_t step() const {  // numbers in a word
    return type == DenseType::kInt8 ? 4 : type == DenseType::kBf16 ? 2 : 1;
  }
  constexpr std::size_t key_rows() const { return rounded(tokens, kDenseRows); }
  constexpr std::size_t key_words() const { return rounded(head_dim, step()) / step(); }
  constexpr std::size_t value_rows() const { return rounded(tokens, step()) / step(); }
  constexpr std::size_t value_dims() const { return rounded(head_dim, 16); }
  constexpr std::size_t tiles() const { return rounded(tokens, kDenseKeys) / kDenseKeys; }
  constexpr std::size_t scales() const { return type == DenseType::kInt8 ? 1 : 0; }

  // Bytes from the start of the head; each part begins at a cache line. Always inline: the linker would keep
  // one copy of a function, and that of whichever instruction set.
  [[gnu::always_inline]] constexpr std::size_t key_scale_at() const { return part(key_rows() * key_words()); }
  [[gnu::always_inline]] constexpr std::size_t key_sum_at() const {
    return key_scale_at() + part(scales() * key_rows());
  }
  [[gnu::always_inline]] constexpr std::size_t values_at() const {
    return key_sum_at() + part(scales() * key_rows());
  }
  [[gnu::always_inline]] constexpr std::size_t value_scale_at() const {
    return values_at() + part(value_rows() * value_dims());
  }
  [[gnu::always_inline]] constexpr std::size_t value_sum_at() const {
    return value_scale_at() + part(scales() * tiles() * value_dims());
  }
  [[gnu::always_inline]] constexpr std::size_t bytes() const {
    return value_sum_at() + part(scales() * tiles() * value_dims());
  }

 private:
  static constexpr std::size_t rounded(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }
  static constexpr std::size_t part(std::size_t words) { return rounded(words * 4, 64); }
};

// The scratch of one tile of queries, in words of 4 bytes:
//   queries [key_words][kDenseQueries], scores [kDenseKeys][kDenseQueries],
//   weights [kDenseKeys / step][kDenseQueries], sums [value_dims][kDenseQueries]
constexpr std::size_t dense_scratch_bytes(const DenseLayout& layout) {
  return (layout.key_words() + kDenseKeys + kDenseKeys / layout.step() + layout.value_dims()) *
         kDenseQueries * 4;
}

// The keys and values of one head in f32: those of token t begin at keys + t * stride, values + t * stride.
struct DenseSource {
  const float* keys = nullptr;
  const float* values = nullptr;
  std::size_t stride = 0;
};

// One tile: out row i = softmax(query i . keys) values, for i < query_count <= kDenseQueries; queries are
// scaled. `out` may be `queries`.
struct DenseJob {
  const DenseLayout* layout = nullptr;
  const std::byte* head = nullptr;
  const float* queries = nullptr;
  std::size_t query_stride = 0;
  std::size_t query_count = 0;
  float* out = nullptr;
  std::size_t out_stride = 0;
  std::byte* scratch = nullptr;  // dense_scratch_bytes(*layout), 64-byte aligned
};

// Both are null where a level has no instructions for the type.
struct DenseKernels {
  // Fills all layout.bytes() of `head`, 64-byte aligned. From the keys in int8 their mean is taken first,
  // which adds the same to all scores of a query, so that the softmax stays as it is.
  void (*pack)(const DenseSource& source, const DenseLayout& layout, std::byte* head) = nullptr;
  void (*attend)(const DenseJob& job) = nullptr;
};

}  // namespace carat::kernels
