// Attention of the processor backend: tiles of queries, segments of keys and their merging, against the f64
// reference.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "backend/cpu/test_cpu_backend.h"
#include "backend/reference/reference_backend.h"
#include "kernels/kernels.h"
#include "tensor/test_matrix.h"

namespace carat::backend {
namespace {

using tensor::bits_equal;
using tensor::Expected;
using tensor::GuardedMatrix;
using tensor::kKvBlockTokens;
using tensor::KvShape;
using tensor::KvType;
using tensor::random_matrix;

constexpr std::size_t kLayerOffset = 128;
constexpr std::size_t kSegmentKeys = kernels::kSegmentBlocks * kKvBlockTokens;

// One layer's cache of one sequence; NaN where nothing was stored.
class Cache {
 public:
  Cache(const KvShape& shape, std::size_t tokens) : shape_(shape) {
    for (std::size_t i = 0; i < (tokens + kKvBlockTokens - 1) / kKvBlockTokens; ++i) {
      storage_.emplace_back(kLayerOffset + shape.layer_bytes(), std::byte{0xFF});
    }
    for (auto& block : storage_) table_.push_back(block.data());
  }
  tensor::KvLayer layer() const { return {shape_, table_, kLayerOffset}; }
  void free_block(std::size_t index) { table_[index] = nullptr; }
  const std::vector<std::vector<std::byte>>& storage() const { return storage_; }

 private:
  KvShape shape_;
  std::vector<std::vector<std::byte>> storage_;
  std::vector<std::byte*> table_;
};

void store_random(Backend& backend, const Cache& cache, std::size_t first, std::size_t count) {
  const std::size_t columns = cache.layer().shape.kv_heads * cache.layer().shape.head_dim;
  const GuardedMatrix keys = random_matrix(count, columns, 11);
  const GuardedMatrix values = random_matrix(count, columns, 12);
  std::vector<std::uint32_t> positions(count);
  std::iota(positions.begin(), positions.end(), static_cast<std::uint32_t>(first));
  backend.store_kv(keys.view(), values.view(), positions, cache.layer());
}

// Scores are below 10 and values below 5 in these tests. A score's rounding, some head_dim * 2^-24 of its
// products, and the sums over at most 2,000 keys stay below 1e-4 of the largest value together; a key too
// many or too few, or a wrong head, shows at 1e-2 and more.
std::vector<Expected> near(const GuardedMatrix& reference) {
  std::vector<Expected> expected;
  for (std::size_t r = 0; r < reference.rows(); ++r) {
    for (const float value : reference.row(r)) expected.push_back({value, 1e-4});
  }
  return expected;
}

struct Shape {
  std::size_t heads;
  std::size_t kv_heads;
  std::size_t head_dim;
};

// Near the reference, and the same bits for any number of threads and any grouping of rows.
void check(const Shape& shape, const Cache& cache, const std::vector<KeyRange>& visible) {
  const std::size_t tokens = visible.size();
  const float scale = 2.0F / std::sqrt(static_cast<float>(shape.head_dim));
  const GuardedMatrix q = random_matrix(tokens, shape.heads * shape.head_dim, 13, scale);
  const auto reference = make_reference_backend();
  GuardedMatrix wanted(tokens, q.columns());
  reference->attention(q.view(), shape.heads, cache.layer(), visible, wanted.view());
  GuardedMatrix serial(tokens, q.columns());
  cpu_backend(1)->attention(q.view(), shape.heads, cache.layer(), visible, serial.view());
  EXPECT_TRUE(all_within(serial.view(), near(wanted)));
  for (const std::size_t threads : {1, 2, 4}) {
    const auto backend = cpu_backend(threads);
    for (const std::size_t group : {std::size_t{1}, std::size_t{3}, std::size_t{64}, tokens}) {
      GuardedMatrix out(tokens, q.columns());
      for (std::size_t first = 0; first < tokens; first += group) {
        const std::size_t count = std::min(group, tokens - first);
        backend->attention(q.view().slice_rows(first, count), shape.heads, cache.layer(),
                           std::span(visible).subspan(first, count), out.view().slice_rows(first, count));
      }
      EXPECT_TRUE(bits_equal(out.view(), serial.view())) << threads << " threads, groups of " << group;
      EXPECT_TRUE(out.guards_intact());
    }
  }
}

// Rows at positions [first, first + count), each seeing up to `window` keys, its own included.
std::vector<KeyRange> causal(std::size_t first, std::size_t count, std::size_t window) {
  std::vector<KeyRange> visible;
  for (std::size_t p = first; p < first + count; ++p) {
    const std::size_t begin = p + 1 > window ? p + 1 - window : 0;
    visible.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(p + 1)});
  }
  return visible;
}

constexpr Shape kShapes[] = {{4, 1, 256}, {8, 4, 16}, {3, 3, 72}, {6, 2, 128}, {1, 1, 8}};

TEST(CpuAttention, PrefillAndWindowsWithGroupedHeads) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message() << shape.heads << " heads over " << shape.kv_heads << " of "
                                    << shape.head_dim);
    const Cache cache({KvType::kF16, shape.kv_heads, shape.head_dim}, 130);
    store_random(*cpu_backend(2), cache, 0, 130);
    check(shape, cache, causal(0, 70, 1000));
    check(shape, cache, causal(60, 70, 9));
  }
}

// Decoding at the ends of segments, where the last one holds one key, all keys, or none.
TEST(CpuAttention, DecodingOverSeveralSegments) {
  const Shape shape = {4, 1, 64};
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBF16}) {
    const Cache cache({type, 1, 64}, 3 * kSegmentKeys);
    store_random(*cpu_backend(2), cache, 0, 3 * kSegmentKeys);
    for (const std::size_t position :
         {kSegmentKeys - 1, kSegmentKeys, 2 * kSegmentKeys - 1, 3 * kSegmentKeys - 1}) {
      SCOPED_TRACE(position);
      check(shape, cache, causal(position, 1, 100'000));
      check(shape, cache, causal(position, 1, kSegmentKeys));
    }
    check(shape, cache, causal(kSegmentKeys - 3, 6, 700));
  }
}

// Rows of an image see one another in both directions, between rows of text.
TEST(CpuAttention, NonCausalSpans) {
  const Shape shape = {4, 2, 24};
  const Cache cache({KvType::kF32, 2, 24}, 100);
  store_random(*cpu_backend(2), cache, 0, 100);
  std::vector<KeyRange> visible = causal(0, 100, 100);
  for (std::size_t p = 40; p < 90; ++p) visible[p].end = 90;
  check(shape, cache, visible);
}

// A local layer: blocks before the window are freed, and memory before the first visible position is whatever
// was there.
TEST(CpuAttention, FreedBlocksAreNotTouched) {
  const Shape shape = {2, 1, 32};
  Cache cache({KvType::kF16, 1, 32}, 1400);
  store_random(*cpu_backend(1), cache, 1290, 110);
  for (std::size_t block = 0; block < 1290 / kKvBlockTokens; ++block) cache.free_block(block);
  check(shape, cache, causal(1305, 95, 16));
}

TEST(CpuAttention, StoresTheBytesThatTheReferenceStores) {
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBF16}) {
    for (const std::size_t threads : {1, 4}) {
      const KvShape shape = {type, 3, 72};
      const Cache actual(shape, 400);
      const Cache wanted(shape, 400);
      store_random(*cpu_backend(threads), actual, 7, 390);
      store_random(*make_reference_backend(), wanted, 7, 390);
      EXPECT_TRUE(actual.storage() == wanted.storage());
    }
  }
}

TEST(CpuAttention, NoRowsAreNoWork) {
  const Cache cache({KvType::kF16, 1, 8}, 1);
  GuardedMatrix q(0, 8);
  cpu_backend(2)->attention(q.view(), 1, cache.layer(), {}, q.view());
}

}  // namespace
}  // namespace carat::backend
