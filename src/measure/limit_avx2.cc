#include <immintrin.h>

#include "measure/limit_loops.h"

namespace carat::measure {
namespace {

std::uint64_t read_vectors(const std::byte* data, std::size_t bytes) {
  __m256i sums[4] = {};
  for (std::size_t offset = 0; offset < bytes; offset += sizeof sums) {
    const auto* vectors = reinterpret_cast<const __m256i*>(data + offset);
    for (int i = 0; i < 4; ++i) sums[i] = _mm256_xor_si256(sums[i], _mm256_load_si256(vectors + i));
  }
  alignas(32) std::uint64_t lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), _mm256_xor_si256(_mm256_xor_si256(sums[0], sums[1]),
                                                                         _mm256_xor_si256(sums[2], sums[3])));
  return lanes[0] ^ lanes[1] ^ lanes[2] ^ lanes[3];
}

// 32 products in three instructions: vpmaddubsw, vpmaddwd by ones, vpaddd. The asm statement keeps them in
// this order and in registers; operands, ones and one temporary leave 12 of the 16 for sums.
template <int kChains>
std::int32_t dot_products(std::size_t iterations) {
  const __m256i a = _mm256_set1_epi8(3);
  const __m256i b = _mm256_set1_epi8(-5);
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sums[kChains];
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_epi32(i);
  for (std::size_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 24
    for (int i = 0; i < kChains; ++i) {
      __m256i products;
      asm("vpmaddubsw %3, %2, %1\n\tvpmaddwd %4, %1, %1\n\tvpaddd %1, %0, %0"
          : "+x"(sums[i]), "=&x"(products)
          : "x"(a), "x"(b), "x"(ones));
    }
  }
  __m256i all = sums[0];
#pragma GCC unroll 24
  for (int i = 1; i < kChains; ++i) all = _mm256_add_epi32(all, sums[i]);
  return _mm256_extract_epi32(all, 0);
}

// 8 products an instruction.
template <int kChains>
std::int32_t multiply_add(std::size_t iterations) {
  const __m256 a = _mm256_set1_ps(3.0F);
  const __m256 b = _mm256_set1_ps(-5.0F);
  __m256 sums[kChains];
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  for (std::size_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 24
    for (int i = 0; i < kChains; ++i) asm("vfmadd231ps %2, %1, %0" : "+x"(sums[i]) : "x"(a), "x"(b));
  }
  __m256 all = sums[0];
#pragma GCC unroll 24
  for (int i = 1; i < kChains; ++i) all = _mm256_add_ps(all, sums[i]);
  return static_cast<std::int32_t>(_mm256_cvtss_f32(all));
}

constexpr std::uint64_t kOps = 32 * 2;  // of one vector
constexpr DotLoop kDots[] = {{8, 8 * kOps, dot_products<8>}, {10, 10 * kOps, dot_products<10>}};
constexpr std::uint64_t kF32Ops = 8 * 2;
constexpr DotLoop kF32[] = {{8, 8 * kF32Ops, multiply_add<8>}, {12, 12 * kF32Ops, multiply_add<12>}};
constexpr LimitLoops kLoops = {
    "avx2", read_vectors, kDots, sizeof kDots / sizeof kDots[0], kF32, sizeof kF32 / sizeof kF32[0]};

}  // namespace

const LimitLoops& limit_loops_avx2() { return kLoops; }

}  // namespace carat::measure
