#include "measure/limit_loops.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "base/huge_buffer.h"

namespace carat::measure {
namespace {

std::size_t products_per_instruction(const std::string& name) {
  return name == "scalar" ? 1 : name.starts_with("avx512") ? 64 : 32;
}

// What `iterations` rounds leave in the first lane: each chain i starts at i and adds 2 values of `step`
// bytes.
std::int32_t expected_dot(const DotLoop& loop, std::int32_t products_per_lane, std::size_t iterations) {
  const auto chains = static_cast<std::int32_t>(loop.accumulators);
  const auto rounds = static_cast<std::int32_t>(iterations);
  return chains * (chains - 1) / 2 + chains * rounds * products_per_lane * 3 * -5;
}

TEST(LimitLoops, DotLoopsDoEveryProductThatTheyCount) {
  for (const LimitLoops* loops : available_limit_loops()) {
    SCOPED_TRACE(loops->name);
    const bool scalar = loops == &limit_loops_scalar();
    for (std::size_t i = 0; i < loops->dot_count; ++i) {
      const DotLoop& loop = loops->dots[i];
      SCOPED_TRACE(loop.accumulators);
      EXPECT_GE(loop.accumulators, 8U);
      EXPECT_LE(loop.accumulators, 24U);
      for (const std::size_t iterations : {0U, 1U, 1000U}) {
        EXPECT_EQ(loop.run(iterations), expected_dot(loop, scalar ? 1 : 4, iterations));
      }
      EXPECT_EQ(loop.ops_per_iteration, 2 * loop.accumulators * products_per_instruction(loops->name));
    }
  }
}

// Sums of whole numbers up to 2^24, which f32 holds.
TEST(LimitLoops, FloatLoopsDoEveryProductThatTheyCount) {
  for (const LimitLoops* loops : available_limit_loops()) {
    SCOPED_TRACE(loops->name);
    for (const std::size_t iterations : {0U, 1U, 1000U}) {
      for (std::size_t i = 0; i < loops->f32_count; ++i) {
        EXPECT_EQ(loops->f32[i].run(iterations), expected_dot(loops->f32[i], 1, iterations));
        EXPECT_EQ(loops->f32[i].ops_per_iteration % (2 * loops->f32[i].accumulators), 0U);
      }
      for (std::size_t i = 0; i < loops->bf16_count; ++i)
        EXPECT_EQ(loops->bf16[i].run(iterations), expected_dot(loops->bf16[i], 2, iterations));
    }
    EXPECT_GT(loops->f32_count, 0U);
  }
}

TEST(LimitLoops, ReadsSeeEveryByteAndNothingBeyond) {
  constexpr std::size_t kBytes = 3 * 4096;
  HugeBuffer buffer = HugeBuffer::allocate(kBytes + 64).value();
  for (const LimitLoops* loops : available_limit_loops()) {
    SCOPED_TRACE(loops->name);
    std::memset(buffer.data(), 0, buffer.size());
    buffer.data()[kBytes] = std::byte{1};  // outside
    EXPECT_EQ(loops->read(buffer.data(), kBytes), 0U);
    for (std::size_t i = 0; i < kBytes; ++i) {
      buffer.data()[i] = std::byte{0x5a};
      ASSERT_NE(loops->read(buffer.data(), kBytes), 0U) << i;
      buffer.data()[i] = std::byte{0};
    }
  }
}

TEST(LimitLoops, BestIsTheLastOfThoseThatTheMachineHas) {
  EXPECT_EQ(&best_limit_loops(), available_limit_loops().back());
}

}  // namespace
}  // namespace carat::measure
