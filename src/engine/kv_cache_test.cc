#include "engine/kv_cache.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <tuple>

#include "base/checked_math.h"
#include "model/config.h"
#include "tensor/kv_block.h"

namespace carat::engine {
namespace {

using tensor::kKvBlockTokens;
using testing::HasSubstr;

model::KvGeometry geometry_with(std::size_t window, std::vector<model::LayerKind> kinds) {
  model::GemmaConfig config;
  config.layers = kinds.size();
  config.layer_kinds = std::move(kinds);
  config.kv_heads = 1;
  config.head_dim = 2;
  config.sliding_window = window;
  return {config, tensor::KvType::kF32};
}

model::KvGeometry mixed_geometry(std::size_t window) {
  return geometry_with(window, {model::LayerKind::kLocal, model::LayerKind::kGlobal});
}

// One sequence that writes its position into the cache and checks, before each step, that whatever the rows
// of the step will see is what was written there: the tables' promise in full.
class Writer {
 public:
  Writer(KvPool& pool, std::size_t rollback) : pool_(pool), sequence_(pool, rollback) {}

  KvSequence& sequence() { return sequence_; }

  void step(std::size_t rows) {
    const std::size_t begin = sequence_.length();
    ASSERT_TRUE(sequence_.prepare(rows));
    const model::SequenceKv view = sequence_.view();
    ASSERT_EQ(view.global_blocks.size(), ceil_div(begin + rows, kKvBlockTokens));
    ASSERT_EQ(view.local_blocks.size(), view.global_blocks.size());
    for (std::size_t p = begin; p < begin + rows; ++p) {
      store(view.global_blocks, p);
      store(view.local_blocks, p);
    }
    expect_visible(view, begin, begin + rows);
    sequence_.advance(rows);
  }

  // What a step of rows [begin, end) sees.
  void expect_visible(const model::SequenceKv& view, std::size_t begin, std::size_t end) const {
    const std::size_t window = pool_.geometry().sliding_window();
    const std::size_t seen_from = begin + 1 < window ? 0 : begin + 1 - window;
    for (std::size_t p = 0; p < end; ++p) ASSERT_EQ(load(view.global_blocks, p), p);
    for (std::size_t p = seen_from; p < end; ++p) ASSERT_EQ(load(view.local_blocks, p), p);
  }

 private:
  static void store(std::span<std::byte* const> blocks, std::size_t position) {
    std::byte* block = blocks[position / kKvBlockTokens];
    ASSERT_NE(block, nullptr);
    std::memcpy(block + position % kKvBlockTokens * sizeof(position), &position, sizeof(position));
  }
  static std::size_t load(std::span<std::byte* const> blocks, std::size_t position) {
    const std::byte* block = blocks[position / kKvBlockTokens];
    if (block == nullptr) return SIZE_MAX;
    std::size_t value = 0;
    std::memcpy(&value, block + position % kKvBlockTokens * sizeof(position), sizeof(value));
    return value;
  }

  KvPool& pool_;
  KvSequence sequence_;
};

class KvWindowTest : public testing::TestWithParam<std::tuple<std::size_t, std::size_t>> {};

// The pool has exactly sequence_capacity() blocks, so this also proves that bound for every mix of steps.
TEST_P(KvWindowTest, NothingThatMayBeSeenIsEverFreed) {
  const auto [window, rollback] = GetParam();
  const model::KvLimits limits{.context_length = 4000, .step_rows = 130, .rollback_tokens = rollback};
  const model::KvGeometry geometry = mixed_geometry(window);
  KvPool pool(geometry, model::sequence_capacity(geometry, limits));
  for (std::uint32_t seed = 0; seed < 8; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Writer writer(pool, rollback);
    std::size_t longest = 0;
    for (int i = 0; i < 120; ++i) {
      const std::size_t length = writer.sequence().length();
      const std::size_t room = limits.context_length - length;
      const std::size_t rows = std::min(room, random() % 2 == 0 ? 1 : 1 + random() % limits.step_rows);
      if (rows > 0) writer.step(rows);
      if (HasFatalFailure()) return;
      longest = std::max(longest, length);  // the latest step began there
      if (random() % 4 != 0) continue;
      const std::size_t least = longest - std::min(longest, rollback);
      const std::size_t now = writer.sequence().length();
      const std::size_t target = least >= now ? now : least + random() % (now - least + 1);
      ASSERT_TRUE(writer.sequence().can_truncate(target)) << target << " of " << now;
      writer.sequence().truncate(target);
      ASSERT_EQ(writer.sequence().length(), target);
    }
  }
  EXPECT_EQ(pool.bytes_in_use(), 0U);
}

INSTANTIATE_TEST_SUITE_P(WindowsAndSlack, KvWindowTest,
                         testing::Combine(testing::Values(1, 4, 7, 63, 64, 65, 512, 1024),
                                          testing::Values(0, 1, 64, 100)));

TEST(KvSequence, FreesLocalBlocksBehindTheWindowAndKeepsGlobalOnes) {
  const model::KvGeometry geometry = mixed_geometry(/*window=*/64);
  KvPool pool(geometry, {.global_blocks = 100, .local_blocks = 100});
  Writer writer(pool, /*rollback=*/0);
  for (int i = 0; i < 20; ++i) writer.step(64);
  EXPECT_EQ(pool.global().in_use(), 20U);
  EXPECT_EQ(pool.local().in_use(), 2U);  // 63 earlier keys and the step's own rows
  EXPECT_EQ(pool.bytes_in_use(), 20 * geometry.global_block_bytes() + 2 * geometry.local_block_bytes());
}

TEST(KvSequence, TellsWhenATruncationIsImpossible) {
  const model::KvGeometry geometry = mixed_geometry(/*window=*/64);
  KvPool pool(geometry, {.global_blocks = 100, .local_blocks = 100});
  Writer writer(pool, /*rollback=*/64);
  for (int i = 0; i < 10; ++i) writer.step(64);
  // The last step began at 576: rows from 512 on must stay possible, so keys from 449 on, so blocks from 448
  // on.
  EXPECT_TRUE(writer.sequence().can_truncate(640));
  EXPECT_TRUE(writer.sequence().can_truncate(511));
  EXPECT_FALSE(writer.sequence().can_truncate(510));
  EXPECT_FALSE(writer.sequence().can_truncate(1));
  EXPECT_TRUE(writer.sequence().can_truncate(0));
  EXPECT_FALSE(writer.sequence().can_truncate(641));
  writer.sequence().truncate(0);
  EXPECT_EQ(pool.bytes_in_use(), 0U);
  writer.step(65);
  EXPECT_TRUE(writer.sequence().can_truncate(1));  // nothing was freed since
}

TEST(KvSequence, AStepThatWasNotAdvancedOverCanBePreparedAnew) {
  const model::KvGeometry geometry = mixed_geometry(/*window=*/4);
  KvPool pool(geometry, {.global_blocks = 10, .local_blocks = 10});
  Writer writer(pool, /*rollback=*/0);
  writer.step(100);
  ASSERT_TRUE(writer.sequence().prepare(300));
  ASSERT_TRUE(writer.sequence().prepare(1));
  writer.expect_visible(writer.sequence().view(), 99, 100);
  writer.sequence().truncate(100);
  EXPECT_EQ(pool.global().in_use(), 2U);
  writer.step(30);
}

TEST(KvSequence, AFullPoolIsAnErrorAndLeavesTheSequenceAsItWas) {
  const model::KvGeometry geometry = mixed_geometry(/*window=*/1024);
  KvPool pool(geometry, {.global_blocks = 9, .local_blocks = 3});
  Writer writer(pool, /*rollback=*/0);
  writer.step(100);
  const Result<> made = writer.sequence().prepare(200);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::kDoesNotFit);
  EXPECT_THAT(made.error().message, HasSubstr("all 3 blocks of 64 tokens"));
  EXPECT_EQ(pool.global().in_use(), 2U);
  EXPECT_EQ(pool.local().in_use(), 2U);
  writer.step(92);
}

TEST(KvSequence, AModelMayLackLayersOfOneKind) {
  for (const auto kind : {model::LayerKind::kLocal, model::LayerKind::kGlobal}) {
    const model::KvGeometry geometry = geometry_with(/*window=*/4, {kind});
    const model::KvLimits limits{.context_length = 1000, .step_rows = 10, .rollback_tokens = 0};
    KvPool pool(geometry, model::sequence_capacity(geometry, limits));
    KvSequence sequence(pool, 0);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(sequence.prepare(10));
      sequence.advance(10);
    }
    const bool local = kind == model::LayerKind::kLocal;
    EXPECT_EQ(pool.local().in_use(), local ? 1U : 0U);
    EXPECT_EQ(pool.global().in_use(), local ? 0U : 16U);
  }
}

TEST(KvSequence, SequencesShareAPoolWithoutSharingBlocks) {
  const model::KvGeometry geometry = mixed_geometry(/*window=*/70);
  KvPool pool(geometry, {.global_blocks = 40, .local_blocks = 20});
  Writer a(pool, /*rollback=*/0);
  {
    Writer b(pool, /*rollback=*/10);
    for (int i = 0; i < 15; ++i) {
      a.step(37);
      b.step(53);
    }
    b.sequence().truncate(790);
    b.step(1);
  }
  a.step(1);
  EXPECT_EQ(pool.global().in_use(), 9U);
}

// Whoever writes to a block that others read gets a copy first, whatever is truncated and shared in which
// order.
TEST(KvSequence, WhoSharesAPrefixNeverSeesWhatOthersWrite) {
  const model::KvGeometry geometry = mixed_geometry(/*window=*/70);
  KvPool pool(geometry, {.global_blocks = 60, .local_blocks = 60});
  const auto write = [](KvSequence& sequence, std::vector<int>& expected, std::size_t rows, int mark) {
    const std::size_t begin = sequence.length();
    ASSERT_TRUE(sequence.prepare(rows));
    for (std::size_t p = begin; p < begin + rows; ++p) {
      for (const auto& blocks : {sequence.view().global_blocks, sequence.view().local_blocks})
        std::memcpy(blocks[p / kKvBlockTokens] + p % kKvBlockTokens * sizeof(mark), &mark, sizeof(mark));
      expected.push_back(mark);
    }
    sequence.advance(rows);
  };
  const auto check = [](const KvSequence& sequence, const std::vector<int>& expected) {
    ASSERT_EQ(sequence.length(), expected.size());
    const std::size_t seen_from = expected.size() < 69 ? 0 : expected.size() - 69;
    for (std::size_t p = 0; p < expected.size(); ++p) {
      for (const auto& blocks : {sequence.view().global_blocks, sequence.view().local_blocks}) {
        if (blocks.data() == sequence.view().local_blocks.data() && p < seen_from) continue;
        int mark = 0;
        std::memcpy(&mark, blocks[p / kKvBlockTokens] + p % kKvBlockTokens * sizeof(mark), sizeof(mark));
        ASSERT_EQ(mark, expected[p]) << "position " << p;
      }
    }
  };
  struct Writing {
    std::unique_ptr<KvSequence> sequence;
    std::vector<int> expected;
  };
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::vector<Writing> all(1);
    all[0].sequence = std::make_unique<KvSequence>(pool, 50);
    for (int i = 1; i < 60; ++i) {
      Writing& chosen = all[random() % all.size()];
      const std::size_t length = chosen.sequence->length();
      const std::size_t target = length - random() % std::min<std::size_t>(length + 1, 40);
      if (random() % 3 == 0 && all.size() < 6 && chosen.sequence->can_truncate(target)) {
        Writing fork{std::make_unique<KvSequence>(pool, 50), chosen.expected};
        fork.expected.resize(target);
        fork.sequence->share_prefix(*chosen.sequence, target);
        all.push_back(std::move(fork));
      } else if (random() % 4 == 0 && chosen.sequence->can_truncate(target)) {
        chosen.sequence->truncate(target);
        chosen.expected.resize(target);
      } else if (random() % 10 == 0 && all.size() > 1) {
        all.erase(all.begin());
      } else if (length < 400) {
        write(*chosen.sequence, chosen.expected, 1 + random() % 30, i);
      }
      for (const Writing& each : all) check(*each.sequence, each.expected);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
  EXPECT_EQ(pool.bytes_in_use(), 0U);
}

TEST(SequenceCapacity, CountsBlocks) {
  const model::KvGeometry geometry = mixed_geometry(/*window=*/512);
  const auto capacity = [&](std::size_t context, std::size_t rows, std::size_t rollback) {
    return model::sequence_capacity(
        geometry, {.context_length = context, .step_rows = rows, .rollback_tokens = rollback});
  };
  EXPECT_EQ(capacity(4096, 512, 0).global_blocks, 64U);
  EXPECT_EQ(capacity(4097, 512, 0).global_blocks, 65U);
  EXPECT_EQ(capacity(4096, 512, 0).local_blocks, 17U);  // 1,023 positions from anywhere within a block
  EXPECT_EQ(capacity(100, 512, 1024).local_blocks, 2U);
  EXPECT_EQ(capacity(4096, 1, 0).bytes(geometry),
            64 * geometry.global_block_bytes() + 9 * geometry.local_block_bytes());
}

TEST(BlockPool, HandsOutDistinctAlignedBlocksUpToItsCapacity) {
  constexpr std::size_t kBytes = std::size_t{3} << 20;  // five to a slab, the last slab cut short
  BlockPool pool(kBytes, /*capacity=*/12);
  std::set<std::byte*> blocks;
  for (int i = 0; i < 12; ++i) {
    const auto block = pool.acquire();
    ASSERT_TRUE(block);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(*block) % 64, 0U);
    std::memset(*block, i, kBytes);
    blocks.insert(*block);
  }
  EXPECT_EQ(blocks.size(), 12U);
  for (auto a = blocks.begin(), b = std::next(a); b != blocks.end(); ++a, ++b) EXPECT_GE(*b - *a, kBytes);
  EXPECT_FALSE(pool.acquire());
  pool.release(*blocks.begin());
  EXPECT_EQ(pool.in_use(), 11U);
  EXPECT_EQ(pool.acquire().value(), *blocks.begin());
}

TEST(BlockPool, ReservesNothingBeforeItIsUsed) {
  BlockPool pool(std::size_t{1} << 20, /*capacity=*/std::size_t{1} << 40);  // an exabyte
  EXPECT_TRUE(pool.acquire());
}

}  // namespace
}  // namespace carat::engine
