#include "quantize/k_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>

#include "tensor/half.h"

namespace carat::quantize {
namespace {

using kernels::CodeRange;
using kernels::kParts;
using kernels::PartScales;

constexpr std::size_t kValues = 256;
constexpr std::size_t kQ4KParts = 8;
constexpr std::size_t kQ4KBytes = 144;
constexpr CodeRange kQ4KRange = {0, 15};
constexpr CodeRange kQ6KRange = {-32, 31};

void store_f16(std::byte* at, float value) {
  const std::uint16_t half = tensor::f32_to_f16(value);
  std::memcpy(at, &half, sizeof half);
}
float as_f16(float value) { return tensor::f16_to_f32(tensor::f32_to_f16(value)); }

// The integer nearest to a / b within [low, high], ties to even; 0 for b = 0, low for NaN.
float nearest_ratio(float a, float b, float low, float high) {
  constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23: what lies below the units falls off
  const float ratio = b == 0.0F ? 0.0F : a / b;
  const float held = ratio > low ? std::min(ratio, high) : low;
  return (held + kRounder) - kRounder;
}

// 8 parts of 32: value = scale * part_scale * code - min * part_min, codes 0..15, parts' integers 0..63.
struct Q4KScales {
  float scale = 0.0F;
  float min = 0.0F;
  std::array<std::uint8_t, kQ4KParts> part_scales = {};
  std::array<std::uint8_t, kQ4KParts> part_mins = {};
};

// From the parts' own scales and mins, which become what is stored of them; `first` is the block's first
// part.
Q4KScales round_q4_k(PartScales& fits, std::size_t first) {
  float largest_scale = 0.0F;
  float largest_min = 0.0F;
  for (std::size_t part = first; part < first + kQ4KParts; ++part) {
    largest_scale = std::max(largest_scale, fits.scale[part]);
    largest_min = std::max(largest_min, -fits.min[part]);
  }
  Q4KScales block;
  block.scale = as_f16(largest_scale / 63.0F);
  block.min = as_f16(largest_min / 63.0F);
  for (std::size_t part = 0; part < kQ4KParts; ++part) {
    const float scale = nearest_ratio(fits.scale[first + part], block.scale, 0.0F, 63.0F);
    const float min = nearest_ratio(-fits.min[first + part], block.min, 0.0F, 63.0F);
    block.part_scales[part] = static_cast<std::uint8_t>(scale);
    block.part_mins[part] = static_cast<std::uint8_t>(min);
    fits.scale[first + part] = block.scale * scale;
    fits.min[first + part] = -block.min * min;
  }
  return block;
}

// f16 d, f16 dmin, scales[12], qs[128]
void store_q4_k(const Q4KScales& block, const std::int8_t* codes, std::byte* out) {
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
  for (std::size_t pair = 0; pair < 4; ++pair) {
    for (std::size_t i = 0; i < 32; ++i) {
      out[16 + 32 * pair + i] = static_cast<std::byte>(codes[64 * pair + i] | codes[64 * pair + 32 + i] << 4);
    }
  }
}

// 16 parts of 16: value = scale * part_scale * code, codes -32..31, part scales -128..127.
struct Q6KScales {
  float scale = 0.0F;
  std::array<std::int8_t, kParts> part_scales = {};
};

Q6KScales round_q6_k(PartScales& fits) {
  float largest = 0.0F;
  for (const float scale : fits.scale) {
    if (std::fabs(scale) > std::fabs(largest)) largest = scale;
  }
  Q6KScales block;
  block.scale = as_f16(largest / -128.0F);
  for (std::size_t part = 0; part < kParts; ++part) {
    const float scale = nearest_ratio(fits.scale[part], block.scale, -128.0F, 127.0F);
    block.part_scales[part] = static_cast<std::int8_t>(scale);
    fits.scale[part] = block.scale * scale;
  }
  return block;
}

// ql[128], qh[64], i8 scales[16], f16 d
void store_q6_k(const Q6KScales& block, std::span<const std::int8_t> codes, std::byte* out) {
  std::array<std::uint8_t, kValues> raised = {};
  for (std::size_t i = 0; i < kValues; ++i) raised[i] = static_cast<std::uint8_t>(codes[i] + 32);
  for (std::size_t half = 0; half < 2; ++half) {
    const std::uint8_t* const q = raised.data() + 128 * half;
    std::byte* const low = out + 64 * half;
    std::byte* const high = out + 128 + 32 * half;
    for (std::size_t l = 0; l < 32; ++l) {
      low[l] = static_cast<std::byte>((q[l] & 15) | (q[l + 64] & 15) << 4);
      low[l + 32] = static_cast<std::byte>((q[l + 32] & 15) | (q[l + 96] & 15) << 4);
      high[l] =
          static_cast<std::byte>(q[l] >> 4 | q[l + 32] >> 4 << 2 | q[l + 64] >> 4 << 4 | q[l + 96] >> 4 << 6);
    }
  }
  std::memcpy(out + 192, block.part_scales.data(), kParts);
  store_f16(out + 208, block.scale);
}

float sum(std::span<const float> errors) { return std::accumulate(errors.begin(), errors.end(), 0.0F); }

}  // namespace

bool encode_q4_k(PartEncoder& parts, std::span<std::byte> out) {
  PartScales plain;
  PartScales fitted;
  parts.fit_scales_and_mins(kQ4KRange.high, plain, fitted);
  std::array<Q4KScales, 2> plain_blocks;
  std::array<Q4KScales, 2> blocks;
  for (std::size_t b = 0; b < 2; ++b) {
    plain_blocks[b] = round_q4_k(plain, kQ4KParts * b);
    blocks[b] = round_q4_k(fitted, kQ4KParts * b);
  }
  const PartEncoder::Errors plain_errors = parts.encode(plain, kQ4KRange);
  const PartEncoder::Errors errors = parts.encode(fitted, kQ4KRange);
  for (std::size_t b = 0; b < 2; ++b) {
    const std::size_t first = kQ4KParts * b;
    if (sum(std::span(errors).subspan(first, kQ4KParts)) <
        sum(std::span(plain_errors).subspan(first, kQ4KParts))) {
      continue;
    }
    blocks[b] = plain_blocks[b];
    std::copy_n(plain.scale + first, kQ4KParts, fitted.scale + first);
    std::copy_n(plain.min + first, kQ4KParts, fitted.min + first);
  }
  parts.encode(fitted, kQ4KRange);
  const std::span<const std::int8_t> codes = parts.codes();
  bool storable = true;
  for (std::size_t b = 0; b < out.size() / kQ4KBytes; ++b) {
    store_q4_k(blocks[b], codes.data() + kValues * b, out.data() + kQ4KBytes * b);
    storable = storable && std::isfinite(blocks[b].scale) && std::isfinite(blocks[b].min);
  }
  return storable;
}

bool encode_q6_k(PartEncoder& parts, std::span<std::byte> out) {
  PartScales plain;
  PartScales fitted;
  parts.fit_scales(kQ6KRange, 1.1F, plain, fitted);
  const Q6KScales plain_block = round_q6_k(plain);
  Q6KScales block = round_q6_k(fitted);
  const float plain_error = sum(parts.encode(plain, kQ6KRange));
  if (!(sum(parts.encode(fitted, kQ6KRange)) < plain_error)) {
    block = plain_block;
    parts.encode(plain, kQ6KRange);
  }
  store_q6_k(block, parts.codes(), out.data());
  return std::isfinite(block.scale);
}

}  // namespace carat::quantize
