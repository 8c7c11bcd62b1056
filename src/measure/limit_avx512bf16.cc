#include <immintrin.h>

#include "measure/limit_loops.h"

namespace carat::measure {
namespace {

// 32 products an instruction: each lane adds twice 3 * -5, which bfloat16 holds exactly.
template <int kChains>
std::int32_t dot_products(std::size_t iterations) {
  const __m512i a = _mm512_set1_epi32(0x40404040);                    // 3, 3
  const __m512i b = _mm512_set1_epi32(static_cast<int>(0xC0A0C0A0));  // -5, -5
  __m512 sums[kChains];
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  for (std::size_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 24
    for (int i = 0; i < kChains; ++i) asm("vdpbf16ps %2, %1, %0" : "+v"(sums[i]) : "v"(a), "v"(b));
  }
  __m512 all = sums[0];
#pragma GCC unroll 24
  for (int i = 1; i < kChains; ++i) all = _mm512_add_ps(all, sums[i]);
  return static_cast<std::int32_t>(_mm512_cvtss_f32(all));
}

constexpr std::uint64_t kOps = 32 * 2;  // of one vector
constexpr DotLoop kBf16[] = {
    {8, 8 * kOps, dot_products<8>}, {12, 12 * kOps, dot_products<12>}, {16, 16 * kOps, dot_products<16>}};

}  // namespace

const LimitLoops& limit_loops_avx512bf16() {
  static const LimitLoops loops = {"avx512bf16",
                                   limit_loops_avx512vnni().read,
                                   limit_loops_avx512vnni().dots,
                                   limit_loops_avx512vnni().dot_count,
                                   limit_loops_avx512vnni().f32,
                                   limit_loops_avx512vnni().f32_count,
                                   kBf16,
                                   sizeof kBf16 / sizeof kBf16[0]};
  return loops;
}

}  // namespace carat::measure
