#pragma once

#include <bit>
#include <cstdint>

namespace carat::tensor {

// SFP8, "switching floating point": a sign bit and a 7-bit code c. Codes below 64 have 2 mantissa bits and
// exponents -23 to -8, the others 3 and -7 to 0; code 0 is zero. Nothing is subnormal, infinite or NaN. Byte
// 0x80 is reserved.
inline constexpr float kSfp8Largest = 1.875F;

inline float sfp8_to_f32(std::uint8_t byte) {
  const std::uint32_t code = byte & 0x7FU;
  if (code == 0) return 0.0F;
  // Below 64 a step of the code is two of the larger mantissa; both forms then have one exponent bias.
  const std::uint32_t eighths = code + (code < 64 ? code : 64);
  return std::bit_cast<float>((std::uint32_t{byte} & 0x80U) << 24 | ((eighths + (104U << 3)) << 20));
}

// The nearest code, ties to the even mantissa; |value| <= 1.875. What is below half the smallest code's
// neighbourhood is zero, without a sign; 2^-23, whose code would be that of zero, becomes the next code.
std::uint8_t f32_to_sfp8(float value);

}  // namespace carat::tensor
