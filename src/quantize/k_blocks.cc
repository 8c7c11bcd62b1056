#include "quantize/k_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "quantize/fit_scale.h"
#include "tensor/half.h"

namespace carat::quantize {
namespace {

constexpr std::size_t kValues = 256;

std::uint16_t store_f16(std::byte* at, float value) {
  const std::uint16_t half = tensor::f32_to_f16(value);
  std::memcpy(at, &half, sizeof half);
  return half;
}
float as_f16(float value) { return tensor::f16_to_f32(tensor::f32_to_f16(value)); }
float ratio(float a, float b) { return b == 0.0F ? 0.0F : a / b; }

// 8 parts of 32: value = scale * part_scale * code - min * part_min, codes 0..15, parts' integers 0..63.
struct Q4KBlock {
  float scale = 0.0F;
  float min = 0.0F;
  std::array<std::uint8_t, 8> part_scales = {};
  std::array<std::uint8_t, 8> part_mins = {};
  std::array<std::int8_t, kValues> codes = {};
  double error = 0.0;
};

std::uint8_t to_six_bits(float value) {
  return static_cast<std::uint8_t>(std::clamp(std::nearbyint(value), 0.0F, 63.0F));
}

template <class PartFit>
Q4KBlock make_q4_k(std::span<const float> x, std::span<const float> importance, PartFit fit_part) {
  std::array<ScaleAndMin, 8> fits;
  float largest_scale = 0.0F;
  float largest_min = 0.0F;
  for (std::size_t part = 0; part < 8; ++part) {
    fits[part] = fit_part(x.subspan(32 * part, 32), importance.subspan(32 * part, 32));
    largest_scale = std::max(largest_scale, fits[part].scale);
    largest_min = std::max(largest_min, -fits[part].min);
  }
  Q4KBlock block;
  block.scale = as_f16(largest_scale / 63.0F);
  block.min = as_f16(largest_min / 63.0F);
  for (std::size_t part = 0; part < 8; ++part) {
    block.part_scales[part] = to_six_bits(ratio(fits[part].scale, block.scale));
    block.part_mins[part] = to_six_bits(ratio(-fits[part].min, block.min));
    const ScaleAndMin stored = {block.scale * static_cast<float>(block.part_scales[part]),
                                -block.min * static_cast<float>(block.part_mins[part])};
    const auto values = x.subspan(32 * part, 32);
    const auto codes = std::span(block.codes).subspan(32 * part, 32);
    encode(values, stored, {0, 15}, codes);
    block.error += weighted_error(values, importance.subspan(32 * part, 32), codes, stored);
  }
  return block;
}

// 16 parts of 16: value = scale * part_scale * code, codes -32..31, part scales -128..127.
struct Q6KBlock {
  float scale = 0.0F;
  std::array<std::int8_t, 16> part_scales = {};
  std::array<std::int8_t, kValues> codes = {};
  double error = 0.0;
};

template <class PartFit>
Q6KBlock make_q6_k(std::span<const float> x, std::span<const float> importance, PartFit fit_part) {
  std::array<float, 16> fits;
  float largest = 0.0F;
  for (std::size_t part = 0; part < 16; ++part) {
    fits[part] = fit_part(x.subspan(16 * part, 16), importance.subspan(16 * part, 16));
    if (std::fabs(fits[part]) > std::fabs(largest)) largest = fits[part];
  }
  Q6KBlock block;
  block.scale = as_f16(largest / -128.0F);
  for (std::size_t part = 0; part < 16; ++part) {
    const float integer = std::nearbyint(ratio(fits[part], block.scale));
    block.part_scales[part] = static_cast<std::int8_t>(std::clamp(integer, -128.0F, 127.0F));
    const ScaleAndMin stored = {block.scale * static_cast<float>(block.part_scales[part]), 0.0F};
    const auto values = x.subspan(16 * part, 16);
    const auto codes = std::span(block.codes).subspan(16 * part, 16);
    encode(values, stored, {-32, 31}, codes);
    block.error += weighted_error(values, importance.subspan(16 * part, 16), codes, stored);
  }
  return block;
}

}  // namespace

// f16 d, f16 dmin, scales[12], qs[128]
bool encode_q4_k(std::span<const float> x, std::span<const float> importance, std::byte* out) {
  const Q4KBlock plain =
      make_q4_k(x, importance, [](auto part, auto) { return plain_scale_and_min(part, 15); });
  const Q4KBlock fitted =
      make_q4_k(x, importance, [](auto part, auto weights) { return fit_scale_and_min(part, weights, 15); });
  const Q4KBlock& block = fitted.error < plain.error ? fitted : plain;
  store_f16(out, block.scale);
  store_f16(out + 2, block.min);
  std::byte* const packed = out + 4;
  for (std::size_t s = 0; s < 4; ++s) {
    const unsigned scale = block.part_scales[s + 4];
    const unsigned min = block.part_mins[s + 4];
    packed[s] = static_cast<std::byte>(block.part_scales[s] | (scale >> 4) << 6);
    packed[s + 4] = static_cast<std::byte>(block.part_mins[s] | (min >> 4) << 6);
    packed[s + 8] = static_cast<std::byte>((scale & 15) | (min & 15) << 4);
  }
  for (std::size_t i = 0; i < 128; ++i) {
    const std::size_t at = i / 32 * 64 + i % 32;
    out[16 + i] = static_cast<std::byte>(block.codes[at] | block.codes[at + 32] << 4);
  }
  return std::isfinite(block.scale) && std::isfinite(block.min);
}

// ql[128], qh[64], i8 scales[16], f16 d
bool encode_q6_k(std::span<const float> x, std::span<const float> importance, std::byte* out) {
  constexpr CodeRange kRange = {-32, 31};
  const Q6KBlock plain = make_q6_k(x, importance, [&](auto part, auto) { return plain_scale(part, kRange); });
  const Q6KBlock fitted = make_q6_k(
      x, importance, [&](auto part, auto weights) { return fit_scale(part, weights, kRange, 1.1F); });
  const Q6KBlock& block = fitted.error < plain.error ? fitted : plain;
  std::memset(out, 0, 192);
  for (std::size_t i = 0; i < kValues; ++i) {
    const std::size_t half = i / 128;
    const std::size_t quarter = i % 128 / 32;
    const std::size_t l = i % 32;
    const auto code = static_cast<unsigned>(block.codes[i] + 32);
    out[64 * half + 32 * (quarter % 2) + l] |= static_cast<std::byte>((code & 15) << (quarter < 2 ? 0 : 4));
    out[128 + 32 * half + l] |= static_cast<std::byte>((code >> 4) << (2 * quarter));
  }
  std::memcpy(out + 192, block.part_scales.data(), 16);
  store_f16(out + 208, block.scale);
  return std::isfinite(block.scale);
}

}  // namespace carat::quantize
