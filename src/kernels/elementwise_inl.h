#pragma once

// Norms, activations and sums over rows.

#include "kernels/exp_inl.h"

namespace carat::kernels {
namespace {

// f(i, n) for each vector of 16 lanes from i on, n < 16 in the last one if lanes are missing.
template <class F>
inline void for_vectors(std::size_t count, F f) {
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) f(i, std::size_t{16});
  if (i < count) f(i, count - i);
}
inline F32x16 load_some(const float* at, std::size_t n) { return n == 16 ? load(at) : load_n(at, n); }
inline void store_some(float* at, F32x16 v, std::size_t n) {
  if (n == 16) {
    store(at, v);
  } else {
    store_n(at, v, n);
  }
}

// sum of f(vector) over x [n], in four interleaved vectors: short chains, and 64 partial sums for accuracy.
template <class F>
inline float sum_over(const float* x, std::size_t n, F f) {
  F32x16 sums[4] = {set1(0.0F), set1(0.0F), set1(0.0F), set1(0.0F)};
  for_vectors(n, [&](std::size_t i, std::size_t lanes) {
    F32x16& sum = sums[i / 16 % 4];
    sum = f(load_some(x + i, lanes), sum, lanes);
  });
  return reduce_add(add(add(sums[0], sums[1]), add(sums[2], sums[3])));
}

inline float inverse_rms(const float* x, float epsilon, std::size_t n) {
  const float squares = sum_over(x, n, [](F32x16 v, F32x16 sum, std::size_t) { return fma(v, v, sum); });
  return 1.0F / __builtin_sqrtf(squares / static_cast<float>(n) + epsilon);
}

void rms_norm(const float* x, const float* weight, float epsilon, std::size_t n, float* out) {
  const F32x16 scale = set1(inverse_rms(x, epsilon, n));
  for_vectors(n, [&](std::size_t i, std::size_t lanes) {
    store_some(out + i, mul(mul(load_some(x + i, lanes), scale), load_some(weight + i, lanes)), lanes);
  });
}

void add_rms_norm(const float* branch, const float* weight, float epsilon, std::size_t n, float* x) {
  const F32x16 scale = set1(inverse_rms(branch, epsilon, n));
  for_vectors(n, [&](std::size_t i, std::size_t lanes) {
    const F32x16 normed = mul(mul(load_some(branch + i, lanes), scale), load_some(weight + i, lanes));
    store_some(x + i, add(load_some(x + i, lanes), normed), lanes);
  });
}

void layer_norm(const float* x, const float* weight, const float* bias, float epsilon, std::size_t n,
                float* out) {
  const float mean =
      sum_over(x, n, [](F32x16 v, F32x16 sum, std::size_t) { return add(v, sum); }) / static_cast<float>(n);
  const F32x16 center = set1(mean);
  const F32x16 zero = set1(0.0F);
  const float squares = sum_over(x, n, [&](F32x16 v, F32x16 sum, std::size_t lanes) {
    const F32x16 d = select_lanes(0, static_cast<int>(lanes), sub(v, center), zero);
    return fma(d, d, sum);
  });
  const F32x16 scale = set1(1.0F / __builtin_sqrtf(squares / static_cast<float>(n) + epsilon));
  for_vectors(n, [&](std::size_t i, std::size_t lanes) {
    const F32x16 normed = mul(sub(load_some(x + i, lanes), center), scale);
    store_some(out + i, fma(normed, load_some(weight + i, lanes), load_some(bias + i, lanes)), lanes);
  });
}

void head_norm_rope(float* x, const float* weight, float epsilon, std::size_t head_dim, const float* cos,
                    const float* sin, float multiplier) {
  rms_norm(x, weight, epsilon, head_dim, x);
  const std::size_t half = head_dim / 2;
  const F32x16 factor = set1(multiplier);
  for_vectors(half, [&](std::size_t i, std::size_t lanes) {
    const F32x16 first = load_some(x + i, lanes);
    const F32x16 second = load_some(x + half + i, lanes);
    const F32x16 c = load_some(cos + i, lanes);
    const F32x16 s = load_some(sin + i, lanes);
    store_some(x + i, mul(sub(mul(first, c), mul(second, s)), factor), lanes);
    store_some(x + half + i, mul(add(mul(second, c), mul(first, s)), factor), lanes);
  });
}

// 0.5 g (1 + tanh u) = g / (1 + e^(-2u)), u = sqrt(2 / pi) (g + 0.044715 g^3)
inline F32x16 gelu_tanh(F32x16 g) {
  const F32x16 cubic = fma(mul(mul(g, g), g), set1(0.044715F), g);
  const F32x16 e = exp(mul(cubic, set1(-2.0F * 0.797884561F)));
  return div(g, add(set1(1.0F), e));
}

void geglu(float* gate, const float* up, std::size_t n) {
  for_vectors(n, [&](std::size_t i, std::size_t lanes) {
    store_some(gate + i, mul(gelu_tanh(load_some(gate + i, lanes)), load_some(up + i, lanes)), lanes);
  });
}

void gelu(float* x, std::size_t n) {
  for_vectors(n, [&](std::size_t i, std::size_t lanes) {
    store_some(x + i, gelu_tanh(load_some(x + i, lanes)), lanes);
  });
}

void add_rows(float* x, const float* y, std::size_t n) {
  for_vectors(n, [&](std::size_t i, std::size_t lanes) {
    store_some(x + i, add(load_some(x + i, lanes), load_some(y + i, lanes)), lanes);
  });
}

void round_bf16(const float* x, std::size_t columns, std::uint32_t* out) {
  const std::size_t pairs = (columns + 31) / 32 * 16;
  __builtin_memset(out + pairs - 16, 0, 64);
  for_vectors(columns,
              [&](std::size_t i, std::size_t lanes) { store_bf16(out + i / 2, load_some(x + i, lanes)); });
}

void add_scaled(float* x, const float* y, float factor, std::size_t n) {
  const F32x16 scale = set1(factor);
  for_vectors(n, [&](std::size_t i, std::size_t lanes) {
    store_some(x + i, fma(scale, load_some(y + i, lanes), load_some(x + i, lanes)), lanes);
  });
}

}  // namespace
}  // namespace carat::kernels
