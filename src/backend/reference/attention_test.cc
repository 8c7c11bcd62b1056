#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "backend/reference/ops.h"

namespace carat::backend::reference {
namespace {

using tensor::kKvBlockTokens;
using tensor::KvShape;
using tensor::KvType;

constexpr std::size_t kLayerOffset = 64;  // bytes of some other layer in front of this one

// One layer's cache with `blocks` blocks, filled with bytes that are NaN in every type.
class Cache {
 public:
  Cache(KvShape shape, std::size_t blocks) : shape_(shape) {
    for (std::size_t i = 0; i < blocks; ++i) {
      storage_.emplace_back(kLayerOffset + shape.layer_bytes(), std::byte{0xff});
    }
    for (auto& block : storage_) table_.push_back(block.data());
  }

  tensor::KvLayer layer() const { return {shape_, table_, kLayerOffset}; }
  void free_block(std::size_t index) { table_[index] = nullptr; }
  std::uint16_t bits16(std::size_t block, std::size_t element) const {
    std::uint16_t bits = 0;
    std::memcpy(&bits, storage_[block].data() + kLayerOffset + 2 * element, sizeof bits);
    return bits;
  }

 private:
  KvShape shape_;
  std::vector<std::vector<std::byte>> storage_;
  std::vector<std::byte*> table_;
};

std::vector<float> random_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

std::vector<std::uint32_t> positions_from(std::uint32_t first, std::size_t count) {
  std::vector<std::uint32_t> positions(count);
  std::iota(positions.begin(), positions.end(), first);
  return positions;
}

TEST(ReferenceAttention, WeighsValuesByTheSoftmaxOfTheScores) {
  const Cache cache({KvType::kF32, 1, 2}, 1);
  const std::array<float, 6> keys = {1, 0, 0, 1, 1, 1};
  const std::array<float, 6> values = {1, 10, 2, 20, 4, 40};
  store_kv({keys.data(), 3, 2}, {values.data(), 3, 2}, positions_from(0, 3), cache.layer());
  // Scores are ln 2, ln 3 and ln 6, so weights are 2/11, 3/11 and 6/11.
  const std::array<float, 2> q = {std::log(2.0F), std::log(3.0F)};
  const std::array<KeyRange, 1> all = {KeyRange{0, 3}};
  std::array<float, 2> out{};
  attention({q.data(), 1, 2}, 1, cache.layer(), all, {out.data(), 1, 2});
  EXPECT_NEAR(out[0], 32.0 / 11.0, 1e-6);
  EXPECT_NEAR(out[1], 320.0 / 11.0, 1e-5);
}

TEST(ReferenceAttention, SeesItsRangeOnlyEvenAcrossBlocksAndFreedOnes) {
  constexpr std::size_t kHeadDim = 2;
  Cache cache({KvType::kF32, 1, kHeadDim}, 3);
  const std::vector<float> zero_keys(130 * kHeadDim, 0.0F);  // equal scores: the mean of the values in range
  std::vector<float> values(130 * kHeadDim);
  for (std::size_t p = 0; p < 130; ++p) values[p * kHeadDim] = static_cast<float>(p);
  store_kv({zero_keys.data(), 130, kHeadDim}, {values.data(), 130, kHeadDim}, positions_from(0, 130),
           cache.layer());
  cache.free_block(0);
  const std::array<float, 6> q = {1, 1, -1, 5, 0, 0};
  const std::array<KeyRange, 3> visible = {KeyRange{64, 65}, KeyRange{100, 130}, KeyRange{127, 129}};
  std::array<float, 6> out{};
  attention({q.data(), 3, kHeadDim}, 1, cache.layer(), visible, {out.data(), 3, kHeadDim});
  EXPECT_FLOAT_EQ(out[0], 64.0F);
  EXPECT_FLOAT_EQ(out[2], 114.5F);
  EXPECT_FLOAT_EQ(out[4], 127.5F);
}

TEST(ReferenceAttention, GroupsQueryHeadsOverKvHeads) {
  constexpr std::size_t kHeadDim = 2;
  const Cache cache({KvType::kF32, 2, kHeadDim}, 1);
  const std::array<float, 4> keys = {1, 2, 3, 4};
  const std::array<float, 4> values = {5, 6, 7, 8};
  store_kv({keys.data(), 1, 4}, {values.data(), 1, 4}, positions_from(0, 1), cache.layer());
  const std::array<float, 12> q{};
  const std::array<KeyRange, 1> all = {KeyRange{0, 1}};
  std::array<float, 12> out{};
  attention({q.data(), 1, 12}, 6, cache.layer(), all, {out.data(), 1, 12});
  EXPECT_EQ(out, (std::array<float, 12>{5, 6, 5, 6, 5, 6, 7, 8, 7, 8, 7, 8}));
}

TEST(ReferenceAttention, LargeScoresDoNotOverflow) {
  const Cache cache({KvType::kF32, 1, 2}, 1);
  const std::array<float, 4> keys = {1000, 0, 999, 0};
  const std::array<float, 4> values = {1, 0, 0, 1};
  store_kv({keys.data(), 2, 2}, {values.data(), 2, 2}, positions_from(0, 2), cache.layer());
  const std::array<float, 2> q = {100, 0};
  const std::array<KeyRange, 1> all = {KeyRange{0, 2}};
  std::array<float, 2> out{};
  attention({q.data(), 1, 2}, 1, cache.layer(), all, {out.data(), 1, 2});
  EXPECT_EQ(out[0], 1.0F);
  EXPECT_NEAR(out[1], std::exp(-100.0), 0x1p-149);  // a subnormal f32
}

// The order in which positions are written, and in how many calls, does not matter.
TEST(ReferenceAttention, AgreesWithSoftmaxWrittenOverPlainArrays) {
  constexpr std::size_t kHeadDim = 72;
  constexpr std::size_t kKvHeads = 2;
  constexpr std::size_t kHeads = 4;
  constexpr std::size_t kTokens = 70;
  const auto keys = random_values(kTokens * kKvHeads * kHeadDim, 1);
  const auto values = random_values(kTokens * kKvHeads * kHeadDim, 2);
  const auto q = random_values(kHeads * kHeadDim, 3);
  const Cache cache({KvType::kF32, kKvHeads, kHeadDim}, 2);
  const ConstMatrixF32 key_rows{keys.data(), kTokens, kKvHeads * kHeadDim};
  const ConstMatrixF32 value_rows{values.data(), kTokens, kKvHeads * kHeadDim};
  store_kv(key_rows.slice_rows(9, 61), value_rows.slice_rows(9, 61), positions_from(9, 61), cache.layer());
  store_kv(key_rows.slice_rows(0, 9), value_rows.slice_rows(0, 9), positions_from(0, 9), cache.layer());
  const std::array<KeyRange, 1> visible = {KeyRange{3, 69}};
  std::vector<float> out(kHeads * kHeadDim);
  attention({q.data(), 1, q.size()}, kHeads, cache.layer(), visible, {out.data(), 1, out.size()});

  for (std::size_t head = 0; head < kHeads; ++head) {
    const std::size_t kv = head < 2 ? 0 : kHeadDim;  // first column of its KV head
    long double total = 0;
    std::vector<long double> sums(kHeadDim);
    for (std::size_t p = 3; p < 69; ++p) {
      long double score = 0;
      for (std::size_t d = 0; d < kHeadDim; ++d) {
        score += static_cast<long double>(q[head * kHeadDim + d]) * key_rows(p, kv + d);
      }
      const long double weight = std::exp(score);
      total += weight;
      for (std::size_t d = 0; d < kHeadDim; ++d) sums[d] += weight * value_rows(p, kv + d);
    }
    for (std::size_t d = 0; d < kHeadDim; ++d) {
      EXPECT_NEAR(out[head * kHeadDim + d], static_cast<double>(sums[d] / total), 1e-6) << head << " " << d;
    }
  }
}

// Every finite f16 and bf16 is stored as itself; halfway cases go to the even neighbour, larger ones up.
TEST(ReferenceStoreKv, RoundsToNearestEven) {
  struct Case {
    float value;
    std::uint16_t f16;
    std::uint16_t bf16;
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::array cases = {
      Case{1.0F, 0x3c00, 0x3f80},
      Case{-2.5F, 0xc100, 0xc020},
      Case{0.0F, 0x0000, 0x0000},
      Case{-0.0F, 0x8000, 0x8000},
      Case{1.0F + 0x1p-11F, 0x3c00, 0x3f80},             // tie in f16: down to even
      Case{1.0F + 0x3p-11F, 0x3c02, 0x3f80},             // tie in f16: up to even
      Case{1.0F + 0x1p-11F + 0x1p-23F, 0x3c01, 0x3f80},  // just above a tie
      Case{1.0F + 0x1p-8F, 0x3c04, 0x3f80},              // tie in bf16: down to even
      Case{1.0F + 0x3p-8F, 0x3c0c, 0x3f82},              // tie in bf16: up to even
      Case{2.0F - 0x1p-12F, 0x4000, 0x4000},             // rounds into the next binade
      Case{65504.0F, 0x7bff, 0x4780},
      Case{65519.996F, 0x7bff, 0x4780},
      Case{65520.0F, 0x7bff, 0x4780},  // beyond f16
      Case{-1e30F, 0xfbff, 0xf14a},
      Case{3.4028235e38F, 0x7bff, 0x7f80},  // beyond bf16
      Case{kInfinity, 0x7bff, 0x7f80},
      Case{0x1p-14F, 0x0400, 0x3880},             // smallest normal f16
      Case{0x1p-24F, 0x0001, 0x3380},             // smallest subnormal f16
      Case{0x1p-25F, 0x0000, 0x3300},             // tie: down to even, zero
      Case{0x3p-25F, 0x0002, 0x33c0},             // tie: up to even
      Case{0x1p-14F - 0x1p-26F, 0x0400, 0x3880},  // subnormal that rounds up to a normal
      Case{0x1p-133F, 0x0000, 0x0001},            // smallest subnormal bf16
  };
  for (const Case& c : cases) {
    const std::array<float, 2> row = {c.value, c.value};
    const std::array<std::uint32_t, 1> position = {17};
    const KvShape f16{KvType::kF16, 1, 2};
    const Cache half(f16, 1);
    store_kv({row.data(), 1, 2}, {row.data(), 1, 2}, position, half.layer());
    EXPECT_EQ(half.bits16(0, f16.key_index(0, 17, 1)), c.f16) << c.value;
    EXPECT_EQ(half.bits16(0, f16.value_index(0, 17, 1)), c.f16) << c.value;
    const KvShape bf16{KvType::kBF16, 1, 2};
    const Cache brain(bf16, 1);
    store_kv({row.data(), 1, 2}, {row.data(), 1, 2}, position, brain.layer());
    EXPECT_EQ(brain.bits16(0, bf16.key_index(0, 17, 1)), c.bf16) << c.value;
  }
}

TEST(ReferenceStoreKv, KeepsNanANan) {
  const std::array<float, 2> row = {std::nanf(""), -std::nanf("")};
  const std::array<std::uint32_t, 1> position = {0};
  for (const KvType type : {KvType::kF16, KvType::kBF16}) {
    const KvShape shape{type, 1, 2};
    const Cache cache(shape, 1);
    store_kv({row.data(), 1, 2}, {row.data(), 1, 2}, position, cache.layer());
    const std::array<float, 2> q = {1, 1};
    const std::array<KeyRange, 1> all = {KeyRange{0, 1}};
    std::array<float, 2> out{};
    attention({q.data(), 1, 2}, 1, cache.layer(), all, {out.data(), 1, 2});
    EXPECT_TRUE(std::isnan(out[0]) && std::isnan(out[1]));
  }
}

TEST(ReferenceStoreKv, WritesNothingButItsOwnSlots) {
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBF16}) {
    const KvShape shape{type, 2, 4};
    const auto rows = random_values(2 * 8, 4);
    std::vector<std::byte> block(kLayerOffset + shape.layer_bytes() + 64, std::byte{0xa5});
    const std::array<std::byte*, 1> table = {block.data()};
    const std::array<std::uint32_t, 2> positions = {15, 16};  // last of one panel, first of the next
    store_kv({rows.data(), 2, 8}, {rows.data(), 2, 8}, positions, {shape, table, kLayerOffset});
    std::size_t changed = 0;
    for (std::size_t i = 0; i < block.size(); ++i) {
      if (block[i] == std::byte{0xa5}) continue;
      EXPECT_GE(i, kLayerOffset);
      EXPECT_LT(i, kLayerOffset + shape.layer_bytes());
      ++changed;
    }
    const std::size_t written = 2 * 2 * 8 * kv_type_bytes(type);  // tokens, keys and values, columns
    EXPECT_LE(changed, written);
    EXPECT_GE(changed, written * 9 / 10);  // a written byte may happen to be 0xa5
  }
}

}  // namespace
}  // namespace carat::backend::reference
