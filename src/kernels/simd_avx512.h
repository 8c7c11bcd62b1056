#pragma once

// The vectors of simd_scalar.h in AVX-512 (F, BW, DQ, VL, VNNI) registers. Included once by level_avx512*.cc.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

// Unrolled, a tile's accumulators stay in registers.
#define CARAT_UNROLL _Pragma("GCC unroll 8")

namespace carat::kernels {
namespace {

constexpr int kGemmRows = 8;
constexpr int kGemmPanels = 2;
constexpr std::size_t kSharedVectors = 2;

struct F32x16 {
  __m512 v;
};
struct I32x16 {
  __m512i v;
};
struct Bytes {
  __m512i v;
};

inline F32x16 set1(float value) { return {_mm512_set1_ps(value)}; }
inline F32x16 load(const float* at) { return {_mm512_loadu_ps(at)}; }
inline __mmask16 first_lanes(std::size_t n) { return static_cast<__mmask16>((1U << n) - 1); }
inline F32x16 load_n(const float* at, std::size_t n) { return {_mm512_maskz_loadu_ps(first_lanes(n), at)}; }
inline void store(float* at, F32x16 a) { _mm512_storeu_ps(at, a.v); }
inline void store_n(float* at, F32x16 a, std::size_t n) { _mm512_mask_storeu_ps(at, first_lanes(n), a.v); }

inline F32x16 add(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
inline F32x16 sub(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline F32x16 mul(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline F32x16 div(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline F32x16 max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
inline F32x16 min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
inline F32x16 abs(F32x16 a) { return {_mm512_abs_ps(a.v)}; }
inline F32x16 where_greater(F32x16 a, F32x16 b, F32x16 x, F32x16 y) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ), y.v, x.v)};
}
inline F32x16 select_lanes(int begin, int end, F32x16 a, F32x16 b) {
  const auto mask = static_cast<__mmask16>(((1U << end) - 1) & ~((1U << begin) - 1));
  return {_mm512_mask_blend_ps(mask, b.v, a.v)};
}

inline __m128 fold_to_4(__m256 a, bool maximum) {
  const __m128 low = _mm256_castps256_ps128(a);
  const __m128 high = _mm256_extractf128_ps(a, 1);
  return maximum ? _mm_max_ps(low, high) : _mm_add_ps(low, high);
}
inline float reduce_add(F32x16 a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 four = fold_to_4(eight, false);
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
inline float reduce_max(F32x16 a) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 four = fold_to_4(eight, true);
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

inline __m256i load_256(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
inline F32x16 load_f16(const void* at) { return {_mm512_cvtph_ps(load_256(at))}; }
inline F32x16 load_bf16(const void* at) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_256(at)), 16))};
}
inline void store_f16(void* at, F32x16 a) {
  _mm256_storeu_si256(static_cast<__m256i*>(at),
                      _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline void store_bf16(void* at, F32x16 a) {
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  const __mmask16 nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  const __m512i top = _mm512_srli_epi32(_mm512_mask_blend_epi32(nan, rounded, quiet), 16);
  _mm256_storeu_si256(static_cast<__m256i*>(at), _mm512_cvtepi32_epi16(top));
}
inline F32x16 load_i8(const void* at) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(at))))};
}

inline I32x16 set1(std::int32_t value) { return {_mm512_set1_epi32(value)}; }
inline I32x16 shift_left(I32x16 a, int bits) { return {_mm512_slli_epi32(a.v, static_cast<unsigned>(bits))}; }
inline F32x16 to_f32(I32x16 a) { return {_mm512_cvtepi32_ps(a.v)}; }
inline I32x16 to_nearest(F32x16 a) { return {_mm512_cvtps_epi32(a.v)}; }
inline F32x16 exp2_int(I32x16 a) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(a.v, _mm512_set1_epi32(127)), 23))};
}
inline F32x16 fraction(F32x16 x) {
  constexpr int kFloor = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  return {_mm512_reduce_ps(x.v, kFloor)};
}
inline F32x16 scale_by_exp2(F32x16 a, F32x16 x) { return {_mm512_scalef_ps(a.v, x.v)}; }
inline std::int32_t reduce_add(I32x16 a) { return _mm512_reduce_add_epi32(a.v); }
inline void store_i8(void* at, I32x16 a) {
  _mm_storeu_si128(static_cast<__m128i*>(at), _mm512_cvtepi32_epi8(a.v));
}

inline Bytes pack_bytes(I32x16 a, I32x16 b, I32x16 c, I32x16 d) {
  const __m512i low = _mm512_or_si512(a.v, _mm512_slli_epi32(b.v, 8));
  const __m512i high = _mm512_or_si512(_mm512_slli_epi32(c.v, 16), _mm512_slli_epi32(d.v, 24));
  return {_mm512_or_si512(low, high)};
}
inline Bytes load_bytes(const void* at) { return {_mm512_loadu_si512(at)}; }
inline void store_bytes(void* at, Bytes a) { _mm512_storeu_si512(at, a.v); }
template <int Shift, int Mask>
inline Bytes shift_and(Bytes a) {
  __m512i shifted = a.v;
  if constexpr (Shift > 0) shifted = _mm512_srli_epi16(a.v, Shift);
  if constexpr (Shift < 0) shifted = _mm512_slli_epi16(a.v, -Shift);
  return {_mm512_and_si512(shifted, _mm512_set1_epi8(static_cast<char>(Mask)))};
}
template <int Mask>
inline Bytes bit_and(Bytes a) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi8(static_cast<char>(Mask)))};
}
template <int Value>
inline Bytes set1_bytes() {
  return {_mm512_set1_epi8(Value)};
}
inline Bytes add_bytes(Bytes a, Bytes b) { return {_mm512_add_epi8(a.v, b.v)}; }
template <int Limit>
inline Bytes min_bytes(Bytes a) {
  return {_mm512_min_epu8(a.v, _mm512_set1_epi8(Limit))};
}
inline Bytes where_not_zero(Bytes tested, Bytes a) {
  return {_mm512_maskz_mov_epi8(_mm512_test_epi8_mask(tested.v, tested.v), a.v)};
}
inline void interleave(Bytes low, Bytes high, Bytes& first, Bytes& second) {
  first = {_mm512_unpacklo_epi8(low.v, high.v)};
  second = {_mm512_unpackhi_epi8(low.v, high.v)};
}
inline void split_bf16_pairs(Bytes pairs, F32x16& even, F32x16& odd) {
  even.v = _mm512_castsi512_ps(_mm512_slli_epi32(pairs.v, 16));
  odd.v = _mm512_castsi512_ps(_mm512_and_si512(pairs.v, _mm512_set1_epi32(static_cast<int>(0xFFFF0000U))));
}
inline Bytes bit_or(Bytes a, Bytes b) { return {_mm512_or_si512(a.v, b.v)}; }
inline Bytes look_up(const std::uint8_t* table, Bytes a) {
  const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(entries), a.v)};
}

template <bool Full>
inline I32x16 dot_start(std::int32_t neg_sum, int offset_bits) {
  return shift_left(set1(neg_sum), offset_bits);
}
inline I32x16 unsigned_start(std::int32_t) { return set1(std::int32_t{0}); }
template <bool Full>
inline I32x16 dot(I32x16 sum, Bytes codes, const std::int32_t& quad) {
  // Written out, since g++ 12 surrounds the intrinsic with copies and spills what it accumulates.
  const __m512i shared = _mm512_set1_epi32(quad);
  asm("vpdpbusd %2, %1, %0" : "+v"(sum.v) : "v"(codes.v), "v"(shared));
  return sum;
}

}  // namespace
}  // namespace carat::kernels
