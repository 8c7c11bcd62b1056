#include <immintrin.h>

#include "measure/limit_loops.h"

namespace carat::measure {
namespace {

std::uint64_t read_vectors(const std::byte* data, std::size_t bytes) {
  __m512i sums[4] = {};
  for (std::size_t offset = 0; offset < bytes; offset += sizeof sums) {
    const std::byte* vectors = data + offset;
    for (std::size_t i = 0; i < 4; ++i)
      sums[i] = _mm512_xor_si512(sums[i], _mm512_load_si512(vectors + 64 * i));
  }
  alignas(64) std::uint64_t lanes[8];
  _mm512_store_si512(
      lanes, _mm512_xor_si512(_mm512_xor_si512(sums[0], sums[1]), _mm512_xor_si512(sums[2], sums[3])));
  std::uint64_t all = 0;
  for (const std::uint64_t lane : lanes) all ^= lane;
  return all;
}

// 64 products an instruction. Two of the 32 registers hold the operands.
template <int kChains>
std::int32_t dot_products(std::size_t iterations) {
  const __m512i a = _mm512_set1_epi8(3);
  const __m512i b = _mm512_set1_epi8(-5);
  __m512i sums[kChains];
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_epi32(i);
  for (std::size_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 24
    for (int i = 0; i < kChains; ++i) asm("vpdpbusd %2, %1, %0" : "+v"(sums[i]) : "v"(a), "v"(b));
  }
  __m512i all = sums[0];
#pragma GCC unroll 24
  for (int i = 1; i < kChains; ++i) all = _mm512_add_epi32(all, sums[i]);
  alignas(64) std::int32_t lanes[16];
  _mm512_store_si512(lanes, all);
  return lanes[0];
}

// 16 products an instruction.
template <int kChains>
std::int32_t multiply_add(std::size_t iterations) {
  const __m512 a = _mm512_set1_ps(3.0F);
  const __m512 b = _mm512_set1_ps(-5.0F);
  __m512 sums[kChains];
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  for (std::size_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 24
    for (int i = 0; i < kChains; ++i) asm("vfmadd231ps %2, %1, %0" : "+v"(sums[i]) : "v"(a), "v"(b));
  }
  __m512 all = sums[0];
#pragma GCC unroll 24
  for (int i = 1; i < kChains; ++i) all = _mm512_add_ps(all, sums[i]);
  return static_cast<std::int32_t>(_mm512_cvtss_f32(all));
}

constexpr std::uint64_t kOps = 64 * 2;  // of one vector
constexpr DotLoop kDots[] = {{8, 8 * kOps, dot_products<8>},
                             {12, 12 * kOps, dot_products<12>},
                             {16, 16 * kOps, dot_products<16>},
                             {24, 24 * kOps, dot_products<24>}};
constexpr std::uint64_t kF32Ops = 16 * 2;
constexpr DotLoop kF32[] = {{8, 8 * kF32Ops, multiply_add<8>},
                            {12, 12 * kF32Ops, multiply_add<12>},
                            {16, 16 * kF32Ops, multiply_add<16>}};
constexpr LimitLoops kLoops = {
    "avx512vnni", read_vectors, kDots, sizeof kDots / sizeof kDots[0], kF32, sizeof kF32 / sizeof kF32[0]};

}  // namespace

const LimitLoops& limit_loops_avx512vnni() { return kLoops; }

}  // namespace carat::measure
