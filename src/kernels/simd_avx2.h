#pragma once

// The vectors of simd_scalar.h as pairs of AVX2 (with FMA and F16C) registers. With AVX-VNNI the dot product
// is one instruction. Included once by level_avx2.cc and level_avxvnni.cc.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

// Unrolled, a tile's accumulators stay in registers.
#define CARAT_UNROLL _Pragma("GCC unroll 8")

namespace carat::kernels {
namespace {

constexpr int kGemmRows = 2;
constexpr int kGemmPanels = 1;
constexpr std::size_t kSharedVectors = 1;

struct F32x16 {
  __m256 low, high;
};
struct I32x16 {
  __m256i low, high;
};
struct Bytes {
  __m256i low, high;
};

inline F32x16 set1(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
inline F32x16 load(const float* at) { return {_mm256_loadu_ps(at), _mm256_loadu_ps(at + 8)}; }
inline F32x16 load_n(const float* at, std::size_t n) {
  alignas(32) float lanes[16] = {};
  std::memcpy(lanes, at, n * sizeof(float));
  return load(lanes);
}
inline void store(float* at, F32x16 a) {
  _mm256_storeu_ps(at, a.low);
  _mm256_storeu_ps(at + 8, a.high);
}
inline void store_n(float* at, F32x16 a, std::size_t n) {
  alignas(32) float lanes[16];
  store(lanes, a);
  std::memcpy(at, lanes, n * sizeof(float));
}

inline F32x16 add(F32x16 a, F32x16 b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
inline F32x16 sub(F32x16 a, F32x16 b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
inline F32x16 mul(F32x16 a, F32x16 b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
inline F32x16 div(F32x16 a, F32x16 b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline F32x16 max(F32x16 a, F32x16 b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
inline F32x16 min(F32x16 a, F32x16 b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
inline F32x16 abs(F32x16 a) {
  const __m256 sign = _mm256_set1_ps(-0.0F);
  return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
inline F32x16 where_greater(F32x16 a, F32x16 b, F32x16 x, F32x16 y) {
  return {_mm256_blendv_ps(y.low, x.low, _mm256_cmp_ps(a.low, b.low, _CMP_GT_OQ)),
          _mm256_blendv_ps(y.high, x.high, _mm256_cmp_ps(a.high, b.high, _CMP_GT_OQ))};
}
inline __m256 lanes_in(int begin, int end, int first) {
  const __m256i lane = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
  const __m256i at_least = _mm256_cmpgt_epi32(lane, _mm256_set1_epi32(begin - 1));
  return _mm256_castsi256_ps(_mm256_and_si256(at_least, _mm256_cmpgt_epi32(_mm256_set1_epi32(end), lane)));
}
inline F32x16 select_lanes(int begin, int end, F32x16 a, F32x16 b) {
  return {_mm256_blendv_ps(b.low, a.low, lanes_in(begin, end, 0)),
          _mm256_blendv_ps(b.high, a.high, lanes_in(begin, end, 8))};
}

inline float reduce_add(F32x16 a) {
  const __m256 eight = _mm256_add_ps(a.low, a.high);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
inline float reduce_max(F32x16 a) {
  const __m256 eight = _mm256_max_ps(a.low, a.high);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

inline __m128i load_128(const void* base, int index) {
  return _mm_loadu_si128(static_cast<const __m128i*>(base) + index);
}
inline __m256i load_256(const void* base, int index) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(base) + index);
}
inline F32x16 load_f16(const void* at) {
  return {_mm256_cvtph_ps(load_128(at, 0)), _mm256_cvtph_ps(load_128(at, 1))};
}
inline __m256 widen_bf16(__m128i a) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(a), 16));
}
inline F32x16 load_bf16(const void* at) { return {widen_bf16(load_128(at, 0)), widen_bf16(load_128(at, 1))}; }
inline void store_f16(void* at, F32x16 a) {
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  _mm_storeu_si128(static_cast<__m128i*>(at), _mm256_cvtps_ph(a.low, kNearest));
  _mm_storeu_si128(static_cast<__m128i*>(at) + 1, _mm256_cvtps_ph(a.high, kNearest));
}
inline __m256i round_to_bf16(__m256 a) {
  const __m256i bits = _mm256_castps_si256(a);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256 nan = _mm256_cmp_ps(a, a, _CMP_UNORD_Q);
  return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(nan)), 16);
}
inline void store_bf16(void* at, F32x16 a) {
  const __m256i mixed = _mm256_packus_epi32(round_to_bf16(a.low), round_to_bf16(a.high));
  _mm256_storeu_si256(static_cast<__m256i*>(at), _mm256_permute4x64_epi64(mixed, 0xD8));
}
inline F32x16 load_i8(const void* at) {
  const __m128i bytes = load_128(at, 0);
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(bytes, bytes)))};
}

inline I32x16 set1(std::int32_t value) { return {_mm256_set1_epi32(value), _mm256_set1_epi32(value)}; }
inline I32x16 shift_left(I32x16 a, int bits) {
  return {_mm256_slli_epi32(a.low, bits), _mm256_slli_epi32(a.high, bits)};
}
inline F32x16 to_f32(I32x16 a) { return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)}; }
inline I32x16 to_nearest(F32x16 a) { return {_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)}; }
inline __m256 exp2_half(__m256i a) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(a, _mm256_set1_epi32(127)), 23));
}
inline F32x16 exp2_int(I32x16 a) { return {exp2_half(a.low), exp2_half(a.high)}; }
inline F32x16 floor(F32x16 x) { return {_mm256_floor_ps(x.low), _mm256_floor_ps(x.high)}; }
inline F32x16 fraction(F32x16 x) { return sub(x, floor(x)); }
inline F32x16 scale_by_exp2(F32x16 a, F32x16 x) {
  return mul(a, exp2_int(to_nearest(floor(max(x, set1(-126.0F))))));
}
inline std::int32_t reduce_add(I32x16 a) {
  const __m256i eight = _mm256_add_epi32(a.low, a.high);
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0x55)));
}
inline void store_i8(void* at, I32x16 a) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.low, a.high), 0xD8);
  _mm_storeu_si128(static_cast<__m128i*>(at),
                   _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}

inline __m256i pack_bytes(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i low = _mm256_or_si256(a, _mm256_slli_epi32(b, 8));
  return _mm256_or_si256(low, _mm256_or_si256(_mm256_slli_epi32(c, 16), _mm256_slli_epi32(d, 24)));
}
inline Bytes pack_bytes(I32x16 a, I32x16 b, I32x16 c, I32x16 d) {
  return {pack_bytes(a.low, b.low, c.low, d.low), pack_bytes(a.high, b.high, c.high, d.high)};
}
inline Bytes load_bytes(const void* at) { return {load_256(at, 0), load_256(at, 1)}; }
inline void store_bytes(void* at, Bytes a) {
  _mm256_storeu_si256(static_cast<__m256i*>(at), a.low);
  _mm256_storeu_si256(static_cast<__m256i*>(at) + 1, a.high);
}
template <int Shift, int Mask>
inline __m256i shift_and_half(__m256i a) {
  if constexpr (Shift > 0) a = _mm256_srli_epi16(a, Shift);
  if constexpr (Shift < 0) a = _mm256_slli_epi16(a, -Shift);
  return _mm256_and_si256(a, _mm256_set1_epi8(static_cast<char>(Mask)));
}
template <int Shift, int Mask>
inline Bytes shift_and(Bytes a) {
  return {shift_and_half<Shift, Mask>(a.low), shift_and_half<Shift, Mask>(a.high)};
}
template <int Mask>
inline Bytes bit_and(Bytes a) {
  const __m256i mask = _mm256_set1_epi8(static_cast<char>(Mask));
  return {_mm256_and_si256(a.low, mask), _mm256_and_si256(a.high, mask)};
}
template <int Value>
inline Bytes set1_bytes() {
  return {_mm256_set1_epi8(Value), _mm256_set1_epi8(Value)};
}
inline Bytes add_bytes(Bytes a, Bytes b) {
  return {_mm256_add_epi8(a.low, b.low), _mm256_add_epi8(a.high, b.high)};
}
template <int Limit>
inline Bytes min_bytes(Bytes a) {
  const __m256i limit = _mm256_set1_epi8(Limit);
  return {_mm256_min_epu8(a.low, limit), _mm256_min_epu8(a.high, limit)};
}
inline Bytes where_not_zero(Bytes tested, Bytes a) {
  const __m256i zero = _mm256_setzero_si256();
  return {_mm256_andnot_si256(_mm256_cmpeq_epi8(tested.low, zero), a.low),
          _mm256_andnot_si256(_mm256_cmpeq_epi8(tested.high, zero), a.high)};
}
inline void interleave(Bytes low, Bytes high, Bytes& first, Bytes& second) {
  first = {_mm256_unpacklo_epi8(low.low, high.low), _mm256_unpacklo_epi8(low.high, high.high)};
  second = {_mm256_unpackhi_epi8(low.low, high.low), _mm256_unpackhi_epi8(low.high, high.high)};
}
inline void split_bf16_pairs(Bytes pairs, F32x16& even, F32x16& odd) {
  const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xFFFF0000U));
  even = {_mm256_castsi256_ps(_mm256_slli_epi32(pairs.low, 16)),
          _mm256_castsi256_ps(_mm256_slli_epi32(pairs.high, 16))};
  odd = {_mm256_castsi256_ps(_mm256_and_si256(pairs.low, upper)),
         _mm256_castsi256_ps(_mm256_and_si256(pairs.high, upper))};
}
inline Bytes bit_or(Bytes a, Bytes b) {
  return {_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)};
}
inline Bytes look_up(const std::uint8_t* table, Bytes a) {
  const __m256i entries = _mm256_broadcastsi128_si256(load_128(table, 0));
  return {_mm256_shuffle_epi8(entries, a.low), _mm256_shuffle_epi8(entries, a.high)};
}

#ifdef __AVXVNNI__

template <bool Full>
inline I32x16 dot_start(std::int32_t neg_sum, int offset_bits) {
  return shift_left(set1(neg_sum), offset_bits);
}
inline I32x16 unsigned_start(std::int32_t) { return set1(std::int32_t{0}); }
template <bool Full>
inline I32x16 dot(I32x16 sum, Bytes codes, const std::int32_t& quad) {
  const __m256i activations = _mm256_set1_epi32(quad);
  return {_mm256_dpbusd_avx_epi32(sum.low, codes.low, activations),
          _mm256_dpbusd_avx_epi32(sum.high, codes.high, activations)};
}

#else

// maddubs adds two byte products in a saturating 16-bit lane. Codes of up to 7 bits cannot reach the limit;
// full bytes could, so they are turned back into signed numbers and their sign moved to the activation, which
// keeps |w| <= 128, |a| <= 127 and the pair sum <= 32512. The offset is then already gone.
template <bool Full>
inline I32x16 dot_start(std::int32_t neg_sum, int offset_bits) {
  return Full ? set1(std::int32_t{0}) : shift_left(set1(neg_sum), offset_bits);
}
inline I32x16 unsigned_start(std::int32_t sum) { return shift_left(set1(sum), 7); }
template <bool Full>
inline __m256i dot_half(__m256i sum, __m256i codes, __m256i activations) {
  if constexpr (Full) {
    const __m256i weights = _mm256_xor_si256(codes, _mm256_set1_epi8(static_cast<char>(0x80)));
    activations = _mm256_sign_epi8(activations, weights);
    codes = _mm256_abs_epi8(weights);
  }
  const __m256i pairs = _mm256_maddubs_epi16(codes, activations);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
template <bool Full>
inline I32x16 dot(I32x16 sum, Bytes codes, const std::int32_t& quad) {
  const __m256i activations = _mm256_set1_epi32(quad);
  return {dot_half<Full>(sum.low, codes.low, activations), dot_half<Full>(sum.high, codes.high, activations)};
}

#endif

}  // namespace
}  // namespace carat::kernels
