#include "tensor/sfp8.h"

namespace carat::tensor {
namespace {

// The f32 bits of a positive value cut to its exponent and `mantissa` bits, to nearest even.
std::uint32_t rounded(std::uint32_t bits, unsigned mantissa) {
  const unsigned dropped = 23 - mantissa;
  const std::uint32_t odd = (bits >> dropped) & 1U;
  return (bits + (1U << (dropped - 1)) - 1 + odd) >> dropped;
}

}  // namespace

std::uint8_t f32_to_sfp8(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  const auto sign = static_cast<std::uint8_t>((bits >> 24) & 0x80U);
  // 1.875 * 2^-24 is the first value that 2 mantissa bits round up to 2^-23.
  if (magnitude < std::bit_cast<std::uint32_t>(0x1.ep-24F)) return 0;
  // From 0.007568359375 on, 3 mantissa bits still round to the large codes' range or the step below it.
  if (magnitude >= std::bit_cast<std::uint32_t>(0x1.fp-8F)) {
    const std::uint32_t code = rounded(magnitude, 3) - (112U << 3);
    return sign | static_cast<std::uint8_t>(code < 127 ? code : 127);
  }
  const std::uint32_t code = rounded(magnitude, 2) - (104U << 2);
  return sign | static_cast<std::uint8_t>(code == 0 ? 1 : code);
}

}  // namespace carat::tensor
