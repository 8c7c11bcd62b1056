#pragma once

// Scales of least error for quantized weights, sixteen parts at a time: see encode_kernels.h.

#include "kernels/elementwise_inl.h"
#include "kernels/encode_kernels.h"

namespace carat::kernels {
namespace {

void widen_f16(const std::byte* stored, std::size_t n, float* out) {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) store(out + i, load_f16(stored + 2 * i));
  if (i == n) return;
  std::uint16_t rest[16] = {};
  __builtin_memcpy(rest, stored + 2 * i, 2 * (n - i));
  store_n(out + i, load_f16(rest), n - i);
}

void widen_bf16(const std::byte* stored, std::size_t n, float* out) {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) store(out + i, load_bf16(stored + 2 * i));
  if (i == n) return;
  std::uint16_t rest[16] = {};
  __builtin_memcpy(rest, stored + 2 * i, 2 * (n - i));
  store_n(out + i, load_bf16(rest), n - i);
}

// Zero times what is not finite is NaN, and stays it.
bool all_finite(const float* x, std::size_t n) {
  const F32x16 zero = set1(0.0F);
  F32x16 sum = zero;
  for_vectors(n, [&](std::size_t i, std::size_t lanes) { sum = fma(load_some(x + i, lanes), zero, sum); });
  return reduce_add(sum) == 0.0F;
}

inline F32x16 clamped(F32x16 x, F32x16 low, F32x16 high) { return min(max(x, low), high); }

// To the nearest integer, ties to even, for magnitudes below 2^22: what lies below the units falls off.
inline F32x16 nearest(F32x16 x) {
  const F32x16 rounder = set1(12582912.0F);  // 1.5 * 2^23
  return sub(add(x, rounder), rounder);
}

template <bool Weighted>
inline F32x16 weighted(F32x16 x, const SideBySide& parts, std::size_t i) {
  if constexpr (Weighted) return mul(x, load(parts.importance + kParts * i));
  return x;
}

struct LeastAndMost {
  F32x16 least, most;  // of the values and 0
};
inline LeastAndMost least_and_most(const SideBySide& parts) {
  LeastAndMost out = {set1(0.0F), set1(0.0F)};
  for (std::size_t i = 0; i < parts.count; ++i) {
    const F32x16 x = load(parts.x + kParts * i);
    out.least = min(x, out.least);
    out.most = max(x, out.most);
  }
  return out;
}

// 1 / x where that is finite and |x| above `floor`, else 0.
inline F32x16 inverse_above(float floor, F32x16 x) {
  return where_greater(abs(x), set1(floor), div(set1(1.0F), x), set1(0.0F));
}

// With the best scale for given codes, code_value / code_code, the error is
// sum(x^2) - code_value^2 / code_code: the candidate with the largest gain wins.
template <bool Weighted>
inline void try_inverse(const SideBySide& parts, F32x16 inverse, CodeRange range, F32x16& best,
                        F32x16& scale) {
  const F32x16 low = set1(static_cast<float>(range.low));
  const F32x16 high = set1(static_cast<float>(range.high));
  F32x16 code_value = set1(0.0F);
  F32x16 code_code = set1(0.0F);
  for (std::size_t i = 0; i < parts.count; ++i) {
    const F32x16 x = load(parts.x + kParts * i);
    const F32x16 code = nearest(clamped(mul(x, inverse), low, high));
    const F32x16 weighted_code = weighted<Weighted>(code, parts, i);
    code_value = fma(weighted_code, x, code_value);
    code_code = fma(weighted_code, code, code_code);
  }
  // NaN, and no better, where all codes are 0.
  const F32x16 candidate = div(code_value, code_code);
  const F32x16 gain = mul(candidate, code_value);
  scale = where_greater(gain, best, candidate, scale);
  best = max(gain, best);
}

template <bool Weighted>
inline void fit_scales_of(const SideBySide& parts, CodeRange range, float widest, PartScales& plain,
                          PartScales& fitted) {
  const LeastAndMost ends = least_and_most(parts);
  const F32x16 zero = set1(0.0F);
  const F32x16 size = max(ends.most, sub(zero, ends.least));
  const bool even = range.low == -range.high;
  const F32x16 most = even ? size : where_greater(size, ends.most, ends.least, ends.most);
  const int first_end = even ? range.high : range.low;
  store(plain.scale, div(most, set1(static_cast<float>(first_end))));
  const F32x16 inverse = inverse_above(1e-30F, most);
  F32x16 best = zero;
  F32x16 scale = zero;
  // Steps from a little more room than the largest value needs; either end of an uneven range may hold it.
  constexpr int kSteps = 7;
  for (int step = 0; step < kSteps; ++step) {
    const float factor = 0.9F + (widest - 0.9F) * static_cast<float>(step) / (kSteps - 1);
    try_inverse<Weighted>(parts, mul(inverse, set1(factor * static_cast<float>(first_end))), range, best,
                          scale);
    if (even) continue;
    try_inverse<Weighted>(parts, mul(inverse, set1(factor * static_cast<float>(range.high))), range, best,
                          scale);
  }
  store(fitted.scale, scale);
  store(plain.min, zero);
  store(fitted.min, zero);
}

void fit_scales(const SideBySide& parts, CodeRange range, float widest, PartScales& plain,
                PartScales& fitted) {
  if (parts.importance == nullptr) return fit_scales_of<false>(parts, range, widest, plain, fitted);
  fit_scales_of<true>(parts, range, widest, plain, fitted);
}

// Weighted sums over a part: w, wx and wxx are those of the values alone.
struct ValueSums {
  F32x16 w, wx, wxx;
};
template <bool Weighted>
inline ValueSums value_sums(const SideBySide& parts) {
  ValueSums sums = {set1(0.0F), set1(0.0F), set1(0.0F)};
  for (std::size_t i = 0; i < parts.count; ++i) {
    const F32x16 x = load(parts.x + kParts * i);
    const F32x16 w = weighted<Weighted>(set1(1.0F), parts, i);
    const F32x16 wx = mul(w, x);
    sums.w = add(sums.w, w);
    sums.wx = add(sums.wx, wx);
    sums.wxx = fma(wx, x, sums.wxx);
  }
  return sums;
}

struct BestFit {
  F32x16 scale, min, error;
};

// Codes with this inverse scale above `least`, then least squares for scale and min together.
template <bool Weighted>
inline void try_inverse_and_min(const SideBySide& parts, const ValueSums& values, F32x16 inverse,
                                F32x16 least, float high, BestFit& best) {
  const F32x16 zero = set1(0.0F);
  F32x16 wq = zero;
  F32x16 wqx = zero;
  F32x16 wqq = zero;
  for (std::size_t i = 0; i < parts.count; ++i) {
    const F32x16 x = load(parts.x + kParts * i);
    const F32x16 code = nearest(clamped(mul(sub(x, least), inverse), zero, set1(high)));
    const F32x16 weighted_code = weighted<Weighted>(code, parts, i);
    wq = add(wq, weighted_code);
    wqx = fma(weighted_code, x, wqx);
    wqq = fma(weighted_code, code, wqq);
  }
  const F32x16 determinant = sub(mul(values.w, wqq), mul(wq, wq));
  const F32x16 free_scale = div(sub(mul(values.w, wqx), mul(values.wx, wq)), determinant);
  const F32x16 free_min = div(sub(mul(wqq, values.wx), mul(wq, wqx)), determinant);
  // A min above zero cannot be stored.
  const F32x16 scale = where_greater(free_min, zero, div(wqx, wqq), free_scale);
  const F32x16 fit_min = where_greater(free_min, zero, zero, free_min);
  const F32x16 squares = fma(mul(scale, scale), wqq, fma(mul(fit_min, fit_min), values.w, values.wxx));
  const F32x16 crossed = sub(fma(scale, wqx, mul(fit_min, values.wx)), mul(mul(scale, fit_min), wq));
  const F32x16 none = set1(__builtin_inff());
  F32x16 error = fma(set1(-2.0F), crossed, squares);
  error = where_greater(determinant, zero, error, none);
  error = where_greater(scale, zero, error, none);
  best.scale = where_greater(best.error, error, scale, best.scale);
  best.min = where_greater(best.error, error, fit_min, best.min);
  best.error = where_greater(best.error, error, error, best.error);
}

template <bool Weighted>
inline void fit_scales_and_mins_of(const SideBySide& parts, int high, PartScales& plain, PartScales& fitted) {
  const LeastAndMost ends = least_and_most(parts);
  const auto top = static_cast<float>(high);
  const F32x16 range = sub(ends.most, ends.least);
  const F32x16 scale = div(range, set1(top));
  store(plain.scale, scale);
  store(plain.min, ends.least);
  const F32x16 inverse = inverse_above(1e-30F, scale);
  const ValueSums values = value_sums<Weighted>(parts);
  BestFit best = {scale, ends.least, set1(__builtin_inff())};
  constexpr int kSteps = 8;
  for (int step = 0; step < kSteps; ++step) {
    const float factor = (top - 1.0F + 2.0F * static_cast<float>(step) / (kSteps - 1)) / top;
    try_inverse_and_min<Weighted>(parts, values, mul(inverse, set1(factor)), ends.least, top, best);
  }
  store(fitted.scale, best.scale);
  store(fitted.min, best.min);
}

void fit_scales_and_mins(const SideBySide& parts, int high, PartScales& plain, PartScales& fitted) {
  if (parts.importance == nullptr) return fit_scales_and_mins_of<false>(parts, high, plain, fitted);
  fit_scales_and_mins_of<true>(parts, high, plain, fitted);
}

void round_scales(PartScales& scales, std::uint16_t* halves) {
  store_f16(halves, load(scales.scale));
  store(scales.scale, load_f16(halves));
}

template <bool Weighted>
inline void encode_of(const SideBySide& parts, const PartScales& scales, CodeRange range, std::int8_t* codes,
                      float* errors) {
  const F32x16 low = set1(static_cast<float>(range.low));
  const F32x16 high = set1(static_cast<float>(range.high));
  const F32x16 scale = load(scales.scale);
  const F32x16 offset = load(scales.min);
  // The smallest f32 with a finite inverse is 2^-128, 2.94e-39.
  const F32x16 inverse = inverse_above(3e-39F, scale);
  F32x16 error = set1(0.0F);
  for (std::size_t i = 0; i < parts.count; ++i) {
    const F32x16 x = load(parts.x + kParts * i);
    const I32x16 code = to_nearest(clamped(mul(sub(x, offset), inverse), low, high));
    store_i8(codes + kParts * i, code);
    const F32x16 off = sub(fma(to_f32(code), scale, offset), x);
    error = fma(weighted<Weighted>(off, parts, i), off, error);
  }
  store(errors, error);
}

void encode(const SideBySide& parts, const PartScales& scales, CodeRange range, std::int8_t* codes,
            float* errors) {
  if (parts.importance == nullptr) return encode_of<false>(parts, scales, range, codes, errors);
  encode_of<true>(parts, scales, range, codes, errors);
}

}  // namespace
}  // namespace carat::kernels
