#pragma once

// f32 activations to int8 blocks of 32.

#include "kernels/elementwise_inl.h"

namespace carat::kernels {
namespace {

// The nearest integer in [-127, 127]. Only infinite or NaN activations are out of range; their scale says so.
inline I32x16 to_code(F32x16 x) { return to_nearest(min(max(x, set1(-127.0F)), set1(127.0F))); }

// scale = max |x| / 127, codes to nearest even. Wider blocks or one scale a row cost the 270M model two to
// twelve times the divergence. A block of zeros has scale 0.
inline void quantize_block(const float* x, ActivationBlock& out, float* residual) {
  const F32x16 first = load(x);
  const F32x16 second = load(x + 16);
  const float largest = reduce_max(max(abs(first), abs(second)));
  const float scale = largest / 127.0F;
  // A subnormal maximum has no finite inverse; such a block is zero.
  const bool usable = largest > 1.0e-36F;
  const F32x16 inverse = set1(usable ? 127.0F / largest : 0.0F);
  const I32x16 first_codes = to_code(mul(first, inverse));
  const I32x16 second_codes = to_code(mul(second, inverse));
  auto* codes = reinterpret_cast<std::int8_t*>(out.quads);
  store_i8(codes, first_codes);
  store_i8(codes + 16, second_codes);
  out.scale = usable ? scale : 0.0F;
  const std::int32_t sums[2] = {reduce_add(first_codes), reduce_add(second_codes)};
  out.neg_sum = -(sums[0] + sums[1]);
  out.scaled_sum = out.scale * static_cast<float>(sums[0] + sums[1]);
  for (int half = 0; half < 2; ++half) {
    out.neg_half_sums[half] = -sums[half];
    out.scaled_half_sums[half] = out.scale * static_cast<float>(sums[half]);
  }
  if (residual != nullptr) {
    const F32x16 negative = set1(-out.scale);
    store(residual, fma(to_f32(first_codes), negative, first));
    store(residual + 16, fma(to_f32(second_codes), negative, second));
  }
}

void quantize(const float* x, std::size_t columns, ActivationBlock* out, std::size_t stride,
              float* residual) {
  for (std::size_t column = 0; column < columns; column += 32) {
    quantize_block(x + column, *out, residual == nullptr ? nullptr : residual + column);
    out += stride;
  }
}

}  // namespace
}  // namespace carat::kernels
