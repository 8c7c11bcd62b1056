// Attention over cached keys and values: every level against a softmax in f64, and to the bit against each
// query alone at the scalar level.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "kernels/test_levels.h"
#include "tensor/half.h"
#include "tensor/test_matrix.h"

namespace carat::kernels {
namespace {

using tensor::bits_equal;
using tensor::Expected;
using tensor::GuardedMatrix;
using tensor::KeyRange;
using tensor::kKvBlockTokens;
using tensor::kRounding;
using tensor::KvShape;
using tensor::KvType;
using tensor::random_matrix;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kExpError = 2e-7;
constexpr std::size_t kLayerOffset = 64;  // bytes of another layer in front of this one
constexpr KvType kTypes[] = {KvType::kF32, KvType::kF16, KvType::kBF16};
constexpr std::size_t kHeadDims[] = {8, 16, 24, 72, 128, 256};

const char* type_name(KvType type) {
  return type == KvType::kF32 ? "f32" : type == KvType::kF16 ? "f16" : "bf16";
}

// The bits that a value is stored as.
std::uint32_t stored_bits(KvType type, float value) {
  if (type == KvType::kF32) return std::bit_cast<std::uint32_t>(value);
  if (type == KvType::kBF16) return tensor::f32_to_bf16(value);
  return tensor::f32_to_f16(std::isnan(value) ? value : std::clamp(value, -65504.0F, 65504.0F));
}

// One layer's cache. Bytes not yet written are NaN in every type.
class Cache {
 public:
  Cache(const KvShape& shape, std::size_t blocks) : shape_(shape) {
    for (std::size_t i = 0; i < blocks; ++i) {
      storage_.emplace_back(kLayerOffset + shape.layer_bytes(), std::byte{0xFF});
    }
    for (auto& block : storage_) table_.push_back(block.data());
  }

  tensor::KvLayer layer() const { return {shape_, table_, kLayerOffset}; }
  std::size_t positions() const { return table_.size() * kKvBlockTokens; }
  void free_block(std::size_t index) { table_[index] = nullptr; }

  // Random keys and values at [begin, end).
  void fill(const Kernels& kernels, std::size_t begin, std::size_t end) {
    for (std::size_t position = begin; position < end; ++position) {
      const GuardedMatrix rows = random_matrix(2, shape_.kv_heads * shape_.head_dim, position);
      store(kernels, position, rows.row(0), rows.row(1));
    }
  }
  void store(const Kernels& kernels, std::size_t position, std::span<const float> keys,
             std::span<const float> values) {
    kernels.store_kv(keys.data(), values.data(), shape_, position % kKvBlockTokens,
                     layer().block(position / kKvBlockTokens));
  }

  double key(std::size_t head, std::size_t position, std::size_t d) const {
    return element(position, shape_.key_index(head, position % kKvBlockTokens, d));
  }
  double value(std::size_t head, std::size_t position, std::size_t d) const {
    return element(position, shape_.value_index(head, position % kKvBlockTokens, d));
  }

 private:
  double element(std::size_t position, std::size_t index) const {
    const std::byte* at = layer().block(position / kKvBlockTokens) + index * kv_type_bytes(shape_.type);
    if (shape_.type == KvType::kF32) {
      float value = 0;
      std::memcpy(&value, at, sizeof value);
      return value;
    }
    std::uint16_t bits = 0;
    std::memcpy(&bits, at, sizeof bits);
    return shape_.type == KvType::kF16 ? tensor::f16_to_f32(bits) : tensor::bf16_to_f32(bits);
  }

  KvShape shape_;
  std::vector<std::vector<std::byte>> storage_;
  std::vector<std::byte*> table_;
};

struct Partials {
  GuardedMatrix values;
  std::vector<AttentionPartial> list;

  Partials(std::size_t queries, std::size_t head_dim) : values(queries, head_dim), list(queries) {
    for (std::size_t q = 0; q < queries; ++q) list[q] = {-1.0F, -1.0F, values.row(q).data()};
  }
};

Partials attend(const Kernels& kernels, const GuardedMatrix& queries, std::span<const KeyRange> visible,
                const tensor::KvLayer& cache, std::size_t kv_head, std::size_t first_block,
                std::size_t last_block) {
  Partials partials(queries.rows(), queries.columns());
  AttentionJob job = {};
  job.query_count = queries.rows();
  job.cache = &cache;
  job.kv_head = kv_head;
  job.first_block = first_block;
  job.last_block = last_block;
  for (std::size_t q = 0; q < queries.rows(); ++q) {
    job.queries[q] = queries.row(q).data();
    job.visible[q] = visible[q];
  }
  kernels.attend(job, partials.list.data());
  EXPECT_TRUE(partials.values.guards_intact());
  return partials;
}

GuardedMatrix finished(const Kernels& kernels, const Partials& partials) {
  GuardedMatrix out(partials.values.rows(), partials.values.columns());
  for (std::size_t q = 0; q < out.rows(); ++q) {
    kernels.finish(partials.list[q], out.columns(), out.row(q).data());
  }
  EXPECT_TRUE(out.guards_intact());
  return out;
}

// Softmax-weighted values of one query over the stored numbers. Rounding: a score is off by one rounding for
// each dimension, of the sum of its products' magnitudes; in a weight that becomes a relative error, next to
// that of the difference to the maximum and of exp. Weights divide by their own sum, so twice that. Each
// block may scale what is there (an exp and a product), each key adds to the sum once, and the quotient
// rounds.
std::vector<Expected> oracle(const Cache& cache, std::size_t kv_head, std::span<const float> query,
                             KeyRange range) {
  std::vector<double> weights;
  double largest = -std::numeric_limits<double>::infinity();
  double smallest = std::numeric_limits<double>::infinity();
  double magnitude = 0.0;
  for (std::size_t p = range.begin; p < range.end; ++p) {
    double score = 0.0;
    double products = 0.0;
    for (std::size_t d = 0; d < query.size(); ++d) {
      score += query[d] * cache.key(kv_head, p, d);
      products += std::fabs(query[d] * cache.key(kv_head, p, d));
    }
    weights.push_back(score);
    largest = std::max(largest, score);
    smallest = std::min(smallest, score);
    magnitude = std::max(magnitude, products);
  }
  double total = 0.0;
  for (double& weight : weights) total += weight = std::exp(weight - largest);
  const auto keys = static_cast<double>(range.end - range.begin);
  const double weight_error =
      (2 * static_cast<double>(query.size()) * magnitude + largest - smallest) * kRounding + kExpError;
  const double rescaling = (keys / kKvBlockTokens + 2) * (kExpError + 2 * kRounding);
  const double relative = 2 * (weight_error + rescaling) + (keys + 4) * kRounding;
  std::vector<Expected> out;
  for (std::size_t d = 0; d < query.size(); ++d) {
    double sum = 0.0;
    double weighed = 0.0;
    for (std::size_t p = range.begin; p < range.end; ++p) {
      const double term = weights[p - range.begin] * cache.value(kv_head, p, d);
      sum += term;
      weighed += std::fabs(term);
    }
    out.push_back({sum / total, weighed / total * relative});
  }
  return out;
}

class AttentionTest : public LevelTest {
 protected:
  void expect_agreement(const Cache& cache, std::size_t kv_head, const GuardedMatrix& queries,
                        std::span<const KeyRange> visible, const GuardedMatrix& out) {
    std::vector<Expected> expected;
    for (std::size_t q = 0; q < queries.rows(); ++q) {
      const std::vector<Expected> one = oracle(cache, kv_head, queries.row(q), visible[q]);
      expected.insert(expected.end(), one.begin(), one.end());
    }
    EXPECT_TRUE(all_within(out.view(), expected));
  }
};

// Ranges that begin and end anywhere in blocks of 64 and panels of 16.
constexpr KeyRange kRanges[] = {{0, 192},   {0, 1},    {5, 6},    {63, 64},   {64, 65},  {17, 31},
                                {16, 32},   {0, 64},   {64, 128}, {1, 191},   {60, 70},  {100, 133},
                                {128, 192}, {33, 159}, {47, 113}, {190, 192}, {15, 177}, {127, 129}};

TEST_P(AttentionTest, AgreesWithSoftmaxForEveryTypeHeadDimAndRange) {
  for (const KvType type : kTypes) {
    for (const std::size_t head_dim : kHeadDims) {
      Cache cache({type, 2, head_dim}, 3);
      cache.fill(kernels(), 0, cache.positions());
      std::size_t next = 0;
      for (std::size_t count = 1; count <= kAttentionTile; ++count) {
        SCOPED_TRACE(testing::Message()
                     << type_name(type) << ", head_dim " << head_dim << ", " << count << " queries");
        const std::size_t kv_head = count % 2;
        // Scores of about 3 in either direction.
        const GuardedMatrix queries =
            random_matrix(count, head_dim, count, 3.0F / std::sqrt(static_cast<float>(head_dim)));
        std::vector<KeyRange> visible;
        for (std::size_t q = 0; q < count; ++q) visible.push_back(kRanges[next++ % std::size(kRanges)]);
        const Partials partials = attend(kernels(), queries, visible, cache.layer(), kv_head, 0, 3);
        const GuardedMatrix out = finished(kernels(), partials);
        expect_agreement(cache, kv_head, queries, visible, out);
        for (std::size_t q = 0; q < count; ++q) {
          GuardedMatrix query(1, head_dim);
          std::ranges::copy(queries.row(q), query.row(0).begin());
          const Partials alone =
              attend(scalar_kernels(), query, {&visible[q], 1}, cache.layer(), kv_head, 0, 3);
          EXPECT_EQ(partials.list[q].weight, alone.list[0].weight);
          EXPECT_EQ(partials.list[q].maximum, alone.list[0].maximum);
          EXPECT_TRUE(bits_equal(out.row(q), finished(scalar_kernels(), alone).row(0))) << "query " << q;
        }
      }
    }
  }
}

// Slots that no query sees may hold anything: what an earlier sequence left, or what was never written.
TEST_P(AttentionTest, IgnoresWhatNobodySees) {
  const std::vector<std::vector<KeyRange>> cases = {
      {{5, 6}},
      {{3, 20}, {4, 21}, {5, 22}, {6, 23}},      // causal, with a window
      {{70, 100}, {99, 130}},                    // across a block border
      {{0, 3}, {40, 41}},                        // a hole inside a panel and between panels
      {{10, 12}, {13, 14}, {63, 64}, {70, 90}},  // holes in two blocks
  };
  for (const KvType type : kTypes) {
    for (const std::vector<KeyRange>& visible : cases) {
      Cache cache({type, 1, 24}, 4);
      cache.free_block(3);
      for (const KeyRange& range : visible) cache.fill(kernels(), range.begin, range.end);
      const GuardedMatrix queries = random_matrix(visible.size(), 24, 1);
      const Partials partials = attend(kernels(), queries, visible, cache.layer(), 0, 0, 4);
      expect_agreement(cache, 0, queries, visible, finished(kernels(), partials));
    }
  }
}

TEST_P(AttentionTest, AQueryThatSeesNoKeyHasWeightZero) {
  Cache cache({KvType::kF32, 1, 16}, 2);
  cache.fill(kernels(), 0, 64);
  const GuardedMatrix queries = random_matrix(2, 16, 1);
  const KeyRange visible[] = {{64, 100}, {3, 9}};
  const Partials partials = attend(kernels(), queries, visible, cache.layer(), 0, 0, 1);
  EXPECT_EQ(partials.list[0].weight, 0.0F);
  EXPECT_EQ(partials.list[0].maximum, -kInfinity);
  for (const float value : partials.values.row(0)) EXPECT_EQ(value, 0.0F);
  EXPECT_GT(partials.list[1].weight, 0.0F);
}

// The parts of a range, wherever it is cut, merge to the same softmax; parts without a visible key change
// nothing.
TEST_P(AttentionTest, PartsMergeToTheWhole) {
  constexpr std::size_t kHeadDim = 72;
  constexpr std::size_t kBlocks = 2 * kSegmentBlocks + 3;
  Cache cache({KvType::kF16, 1, kHeadDim}, kBlocks);
  cache.fill(kernels(), 0, cache.positions());
  const GuardedMatrix queries = random_matrix(3, kHeadDim, 2, 0.4F);
  const KeyRange visible[] = {{0, kBlocks * 64}, {700, 1100}, {1, 513}};
  const std::vector<std::vector<std::size_t>> cuts = {
      {0, kBlocks},
      {0, 8, 16, kBlocks},
      {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, kBlocks},
      {0, 3, 18, kBlocks}};
  for (const std::vector<std::size_t>& cut : cuts) {
    SCOPED_TRACE(cut.size());
    GuardedMatrix results[2] = {GuardedMatrix(3, kHeadDim), GuardedMatrix(3, kHeadDim)};
    const Kernels* const levels[2] = {&kernels(), &scalar_kernels()};
    for (std::size_t level = 0; level < 2; ++level) {
      Partials merged = attend(*levels[level], queries, visible, cache.layer(), 0, cut[0], cut[1]);
      for (std::size_t part = 1; part + 1 < cut.size(); ++part) {
        const Partials next =
            attend(*levels[level], queries, visible, cache.layer(), 0, cut[part], cut[part + 1]);
        for (std::size_t q = 0; q < 3; ++q) levels[level]->merge(merged.list[q], next.list[q], kHeadDim);
      }
      EXPECT_TRUE(merged.values.guards_intact());
      results[level] = finished(*levels[level], merged);
    }
    expect_agreement(cache, 0, queries, visible, results[0]);
    EXPECT_TRUE(bits_equal(results[0].view(), results[1].view()));
  }
}

TEST_P(AttentionTest, BlocksOutsideTheRangeChangeNoBit) {
  Cache cache({KvType::kBF16, 1, 128}, 6);
  cache.fill(kernels(), 0, cache.positions());
  const GuardedMatrix queries = random_matrix(2, 128, 3, 0.3F);
  const KeyRange visible[] = {{140, 250}, {150, 256}};
  const GuardedMatrix all = finished(kernels(), attend(kernels(), queries, visible, cache.layer(), 0, 0, 6));
  const GuardedMatrix touched =
      finished(kernels(), attend(kernels(), queries, visible, cache.layer(), 0, 2, 4));
  EXPECT_TRUE(bits_equal(all.view(), touched.view()));
}

// The largest score takes all the weight, wherever it stands and however large the scores are.
TEST_P(AttentionTest, HugeScoresDoNotOverflow) {
  constexpr std::size_t kHeadDim = 16;
  for (const float magnitude : {1e3F, 1e15F, 1e30F}) {
    for (const std::size_t best : {0, 40, 64, 127}) {
      Cache cache({KvType::kF32, 1, kHeadDim}, 2);
      for (std::size_t p = 0; p < 128; ++p) {
        GuardedMatrix rows(2, kHeadDim);
        std::ranges::fill(rows.row(0), 0.0F);
        std::ranges::fill(rows.row(1), static_cast<float>(p));
        rows.row(0)[0] = p == best ? magnitude : p % 3 == 0 ? -magnitude : magnitude / 2;
        cache.store(kernels(), p, rows.row(0), rows.row(1));
      }
      GuardedMatrix query(1, kHeadDim);
      std::ranges::fill(query.row(0), 1.0F);
      const KeyRange visible[] = {{0, 128}};
      const GuardedMatrix out =
          finished(kernels(), attend(kernels(), query, visible, cache.layer(), 0, 0, 2));
      // The others keep a weight of e^-87 = 1.6e-38 each, where exp ends.
      for (const float value : out.row(0)) EXPECT_NEAR(value, static_cast<double>(best), 1e-33) << magnitude;
    }
  }
}

// Weights laid bare: key 0 has score 0, the others scores x <= 0, and the value of key d is 1 in dimension d
// alone, so values[d] is exp(x) as the kernel computes it.
TEST_P(AttentionTest, ExpIsAccurateOnADenseGridAndEndsAtItsLimit) {
  constexpr std::size_t kHeadDim = 64;
  std::vector<float> points = {-0.0F,  -1e-45F, -1e-7F,  -86.99F, -87.0F,
                               -87.5F, -88.0F,  -104.0F, -1e30F,  -kInfinity};
  for (float x = -87.0F; x < 0.0F; x += 0.00731F) points.push_back(x);
  GuardedMatrix query(1, kHeadDim);
  std::ranges::fill(query.row(0), 0.0F);
  query.row(0)[0] = 1.0F;
  const KeyRange visible[] = {{0, 64}};
  for (std::size_t first = 0; first < points.size(); first += 63) {
    Cache cache({KvType::kF32, 1, kHeadDim}, 1);
    for (std::size_t slot = 0; slot < 64; ++slot) {
      GuardedMatrix rows(2, kHeadDim);
      std::ranges::fill(rows.row(0), 0.0F);
      std::ranges::fill(rows.row(1), 0.0F);
      if (slot > 0) rows.row(0)[0] = points[std::min(first + slot - 1, points.size() - 1)];
      rows.row(1)[slot] = 1.0F;
      cache.store(kernels(), slot, rows.row(0), rows.row(1));
    }
    const Partials partials = attend(kernels(), query, visible, cache.layer(), 0, 0, 1);
    ASSERT_EQ(partials.values.row(0)[0], 1.0F);  // exp(0)
    for (std::size_t slot = 1; slot < 64 && first + slot - 1 < points.size(); ++slot) {
      const float x = points[first + slot - 1];
      const double expected = std::exp(static_cast<double>(std::max(x, -87.0F)));
      ASSERT_NEAR(partials.values.row(0)[slot], expected, expected * kExpError) << x;
    }
  }
}

TEST_P(AttentionTest, MergeWeighsByTheMaxima) {
  for (const std::size_t head_dim : kHeadDims) {
    for (const float difference : {0.0F, 0.5F, -3.0F, 40.0F, -86.0F, 200.0F, -1e20F}) {
      SCOPED_TRACE(testing::Message() << head_dim << ", maxima " << difference << " apart");
      const GuardedMatrix values = random_matrix(2, head_dim, head_dim);
      const double maximum = std::max(0.0F, difference);
      const double shrink = std::exp(std::max(0.0 - maximum, -87.0));
      const double shrink_later = std::exp(std::max(difference - maximum, -87.0));
      GuardedMatrix actual = values;
      GuardedMatrix scalar = values;
      AttentionPartial into = {0.0F, 2.5F, actual.row(0).data()};
      AttentionPartial scalar_into = {0.0F, 2.5F, scalar.row(0).data()};
      kernels().merge(into, {difference, 4.0F, actual.row(1).data()}, head_dim);
      scalar_kernels().merge(scalar_into, {difference, 4.0F, scalar.row(1).data()}, head_dim);
      std::vector<Expected> expected;
      for (std::size_t d = 0; d < head_dim; ++d) {
        const double kept = values.row(0)[d] * shrink;
        const double added = values.row(1)[d] * shrink_later;
        expected.push_back(
            {kept + added, (std::fabs(kept) + std::fabs(added)) * (kExpError + 2 * kRounding)});
      }
      EXPECT_TRUE(all_within(actual.view().slice_rows(0, 1), expected));
      EXPECT_TRUE(bits_equal(actual.view(), scalar.view()));
      EXPECT_TRUE(actual.guards_intact());
      EXPECT_EQ(into.maximum, static_cast<float>(maximum));
      const double weight = 2.5 * shrink + 4.0 * shrink_later;
      EXPECT_NEAR(into.weight, weight, weight * (kExpError + 2 * kRounding));
      EXPECT_EQ(into.weight, scalar_into.weight);
    }
  }
}

TEST_P(AttentionTest, MergeWithAnEmptyPartKeepsTheOther) {
  constexpr std::size_t kHeadDim = 24;
  const GuardedMatrix values = random_matrix(2, kHeadDim, 1);
  GuardedMatrix changed = values;
  AttentionPartial into = {3.0F, 2.0F, changed.row(0).data()};
  kernels().merge(into, {-kInfinity, 0.0F, changed.row(1).data()}, kHeadDim);
  EXPECT_TRUE(bits_equal(changed.view(), values.view()));
  EXPECT_EQ(into.maximum, 3.0F);
  EXPECT_EQ(into.weight, 2.0F);

  AttentionPartial empty = {-kInfinity, 0.0F, changed.row(0).data()};
  kernels().merge(empty, {5.0F, 1.5F, changed.row(1).data()}, kHeadDim);
  EXPECT_TRUE(bits_equal(changed.row(0), values.row(1)));
  EXPECT_EQ(empty.maximum, 5.0F);
  EXPECT_EQ(empty.weight, 1.5F);
  EXPECT_TRUE(changed.guards_intact());
}

TEST_P(AttentionTest, FinishDividesByTheWeight) {
  for (std::size_t head_dim = 1; head_dim <= 67; ++head_dim) {
    const GuardedMatrix values = random_matrix(1, head_dim, head_dim);
    GuardedMatrix copy = values;
    GuardedMatrix out(1, head_dim);
    kernels().finish({1.0F, 3.7F, copy.data()}, head_dim, out.data());
    std::vector<Expected> expected;
    for (const float value : values.row(0)) {
      const double quotient = static_cast<double>(value) / static_cast<double>(3.7F);
      expected.push_back({quotient, std::fabs(quotient) * kRounding});
    }
    EXPECT_TRUE(all_within(out.view(), expected));
    EXPECT_TRUE(out.guards_intact());
  }
}

// Each element lands where KvShape says, rounded as tensor/half.h rounds; nothing else is written.
TEST_P(AttentionTest, StoreKvWritesEachElementAndNothingElse) {
  const float awkward[] = {
      65519.996F, 65520.0F,  -1e30F,          1e-8F,          6e-8F,
      -0.0F,      kInfinity, 1.0F + 0x1p-11F, 1.0F + 0x1p-8F, std::numeric_limits<float>::quiet_NaN()};
  for (const KvType type : kTypes) {
    for (const std::size_t head_dim : {1, 8, 15, 24, 72, 128, 256}) {
      for (const std::size_t slot : {0, 7, 15, 16, 63}) {
        SCOPED_TRACE(testing::Message() << type_name(type) << ", head_dim " << head_dim << ", slot " << slot);
        const KvShape shape = {type, 3, head_dim};
        GuardedMatrix rows = random_matrix(2, 3 * head_dim, head_dim);
        for (std::size_t i = 0; i < std::size(awkward); ++i) {
          rows.row(0)[(7 * i) % (3 * head_dim)] = awkward[i];
          rows.row(1)[(11 * i) % (3 * head_dim)] = awkward[i];
        }
        std::vector<std::byte> block(shape.layer_bytes() + 64, std::byte{0xA5});
        std::vector<std::byte> expected = block;
        const std::size_t bytes = kv_type_bytes(type);
        for (std::size_t head = 0; head < 3; ++head) {
          for (std::size_t d = 0; d < head_dim; ++d) {
            const std::uint32_t key = stored_bits(type, rows.row(0)[head * head_dim + d]);
            const std::uint32_t value = stored_bits(type, rows.row(1)[head * head_dim + d]);
            std::memcpy(expected.data() + shape.key_index(head, slot, d) * bytes, &key, bytes);
            std::memcpy(expected.data() + shape.value_index(head, slot, d) * bytes, &value, bytes);
          }
        }
        kernels().store_kv(rows.row(0).data(), rows.row(1).data(), shape, slot, block.data());
        EXPECT_TRUE(block == expected);
      }
    }
  }
}

CARAT_TEST_ALL_LEVELS(AttentionTest);

}  // namespace
}  // namespace carat::kernels
