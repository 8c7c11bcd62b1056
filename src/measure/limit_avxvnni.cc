#include <immintrin.h>

#include "measure/limit_loops.h"

namespace carat::measure {
namespace {

// 32 products an instruction. Two of the 16 registers hold the operands.
template <int kChains>
std::int32_t dot_products(std::size_t iterations) {
  const __m256i a = _mm256_set1_epi8(3);
  const __m256i b = _mm256_set1_epi8(-5);
  __m256i sums[kChains];
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_epi32(i);
  for (std::size_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 24
    for (int i = 0; i < kChains; ++i) {
      asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums[i]) : "x"(a), "x"(b));
    }
  }
  __m256i all = sums[0];
#pragma GCC unroll 24
  for (int i = 1; i < kChains; ++i) all = _mm256_add_epi32(all, sums[i]);
  return _mm256_extract_epi32(all, 0);
}

constexpr std::uint64_t kOps = 32 * 2;  // of one vector
constexpr DotLoop kDots[] = {
    {8, 8 * kOps, dot_products<8>}, {10, 10 * kOps, dot_products<10>}, {12, 12 * kOps, dot_products<12>}};

}  // namespace

const LimitLoops& limit_loops_avxvnni() {
  static const LimitLoops loops = {"avxvnni",
                                   limit_loops_avx2().read,
                                   kDots,
                                   sizeof kDots / sizeof kDots[0],
                                   limit_loops_avx2().f32,
                                   limit_loops_avx2().f32_count};
  return loops;
}

}  // namespace carat::measure
