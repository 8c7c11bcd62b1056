#pragma once

// exp over 16 lanes, ours so that every level and every machine agree. Included after a simd_*.h.

namespace carat::kernels {
namespace {

// e^x, relative error below 2e-7; x is held in [-87, 88], so that 1.6e-38 is the least. Range reduction x = n
// ln 2
// + r, |r| <= ln 2 / 2, with ln 2 in two parts (Cody and Waite), then the Taylor polynomial of degree 7,
// whose remainder is 6e-9.
inline F32x16 exp(F32x16 x) {
  x = min(set1(88.0F), max(set1(-87.0F), x));
  const I32x16 n = to_nearest(mul(x, set1(1.44269504F)));
  const F32x16 whole = to_f32(n);
  F32x16 r = fma(whole, set1(-0.693145752F), x);
  r = fma(whole, set1(-1.42860677e-6F), r);
  F32x16 p = set1(1.0F / 5040.0F);
  p = fma(p, r, set1(1.0F / 720.0F));
  p = fma(p, r, set1(1.0F / 120.0F));
  p = fma(p, r, set1(1.0F / 24.0F));
  p = fma(p, r, set1(1.0F / 6.0F));
  p = fma(p, r, set1(0.5F));
  p = fma(p, r, set1(1.0F));
  p = fma(p, r, set1(1.0F));
  return mul(p, exp2_int(n));
}

inline float exp(float x) {
  float lanes[16];
  store(lanes, exp(set1(x)));
  return lanes[0];
}

}  // namespace
}  // namespace carat::kernels
