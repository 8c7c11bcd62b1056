#include <cstring>

#include "measure/limit_loops.h"

namespace carat::measure {
namespace {

std::uint64_t read_words(const std::byte* data, std::size_t bytes) {
  std::uint64_t sums[8] = {};
  for (std::size_t offset = 0; offset < bytes; offset += sizeof sums) {
    std::uint64_t words[8];
    std::memcpy(words, data + offset, sizeof words);
    for (int i = 0; i < 8; ++i) sums[i] ^= words[i];
  }
  std::uint64_t all = 0;
  for (const std::uint64_t sum : sums) all ^= sum;
  return all;
}

// Multiplies as many chains as there are registers to spare. The empty asm statements hide the values from
// the optimizer, which would otherwise turn the loop into one multiplication.
template <int kChains>
std::int32_t multiply_add(std::size_t iterations) {
  std::int32_t sums[kChains];
  std::int32_t a = 3;
  std::int32_t b = -5;
  asm volatile("" : "+r"(a), "+r"(b));
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) sums[i] = i;
  for (std::size_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 24
    for (int i = 0; i < kChains; ++i) {
      std::int32_t factor = a;
      asm volatile("" : "+r"(factor));
      sums[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(sums[i]) +
                                          static_cast<std::uint32_t>(factor) * static_cast<std::uint32_t>(b));
    }
  }
  std::uint32_t all = 0;
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) all += static_cast<std::uint32_t>(sums[i]);
  return static_cast<std::int32_t>(all);
}

// Each round multiplies by 1 and adds 3 * -5; the optimizer does not know either.
template <int kChains>
std::int32_t multiply_add_f32(std::size_t iterations) {
  float sums[kChains];
  float factor = 1.0F;
  float addend = 3.0F * -5.0F;
  asm volatile("" : "+m"(factor), "+m"(addend));
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) sums[i] = static_cast<float>(i);
  for (std::size_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 24
    for (int i = 0; i < kChains; ++i) sums[i] = sums[i] * factor + addend;
  }
  float all = 0.0F;
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) all += sums[i];
  return static_cast<std::int32_t>(all);
}

constexpr DotLoop kF32[] = {{8, 8 * 2, multiply_add_f32<8>}};
constexpr DotLoop kDots[] = {{8, 8 * 2, multiply_add<8>}};
constexpr LimitLoops kLoops = {
    "scalar", read_words, kDots, sizeof kDots / sizeof kDots[0], kF32, sizeof kF32 / sizeof kF32[0]};

}  // namespace

const LimitLoops& limit_loops_scalar() { return kLoops; }

}  // namespace carat::measure
