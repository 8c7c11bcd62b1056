#include "quantize/encode_rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "quantize/k_blocks.h"
#include "tensor/half.h"
#include "tensor/sfp8.h"

namespace carat::quantize {
namespace {

using kernels::CodeRange;
using kernels::kParts;
using kernels::PartScales;
using tensor::ElementType;
using enum tensor::ElementType;

// Types with one scale for each part and no more.
struct ScaledType {
  CodeRange fitted;  // the range that the scale is chosen for
  CodeRange range;
  float widest = 1.0F;  // how far the search clips
};

ScaledType scaled_type(ElementType type) {
  switch (type) {
    case kQ4_0: return {{-8, 7}, {-8, 7}, 1.25F};
    case kQ5_0: return {{-16, 15}, {-16, 15}, 1.15F};
    case kQ8_0: return {{-127, 127}, {-127, 127}, 1.0F};
    // A whole row has one scale, so that clipping its few largest values pays. Scales are positive.
    default: return {{-7, 7}, {-8, 7}, 2.2F};
  }
}

// The better of two choices for each part, whose codes `parts` then holds.
void choose(PartEncoder& parts, const PartScales& plain, PartScales& fitted, CodeRange range) {
  const PartEncoder::Errors plain_errors = parts.encode(plain, range);
  const PartEncoder::Errors errors = parts.encode(fitted, range);
  bool all_fitted = true;
  for (std::size_t part = 0; part < kParts; ++part) {
    if (errors[part] < plain_errors[part]) continue;
    fitted.scale[part] = plain.scale[part];
    all_fitted = false;
  }
  if (!all_fitted) parts.encode(fitted, range);
}

// 16 bytes of nibbles: values 0..15 in the low ones, 16..31 in the high ones.
void store_nibbles(const std::int8_t* codes, int by, std::byte* out) {
  for (std::size_t i = 0; i < 16; ++i) {
    out[i] = static_cast<std::byte>(((codes[i] + by) & 15) | ((codes[i + 16] + by) & 15) << 4);
  }
}

void store_q5_codes(const std::int8_t* codes, std::byte* out) {
  std::uint32_t high = 0;
  for (std::size_t i = 0; i < 32; ++i) high |= static_cast<std::uint32_t>((codes[i] + 16) >> 4) << i;
  std::memcpy(out, &high, sizeof high);
  store_nibbles(codes, 16, out + 4);
}

// Q4_0, Q5_0, Q8_0: an f16 scale and codes. False when a scale overflows.
bool encode_block_group(ElementType type, const kernels::EncodeKernels& kernels, PartEncoder& parts,
                        std::span<std::byte> out) {
  const ScaledType scaled = scaled_type(type);
  PartScales plain;
  PartScales fitted;
  parts.fit_scales(scaled.fitted, scaled.widest, plain, fitted);
  std::array<std::uint16_t, kParts> halves = {};
  kernels.round_scales(plain, halves.data());
  kernels.round_scales(fitted, halves.data());
  choose(parts, plain, fitted, scaled.range);
  kernels.round_scales(fitted, halves.data());
  const std::span<const std::int8_t> codes = parts.codes();
  const std::size_t block_bytes = tensor::info(type).block_bytes;
  bool storable = true;
  for (std::size_t block = 0; block < out.size() / block_bytes; ++block) {
    std::byte* const to = out.data() + block * block_bytes;
    const std::int8_t* const from = codes.data() + 32 * block;
    storable = storable && std::isfinite(fitted.scale[block]);
    std::memcpy(to, &halves[block], 2);
    if (type == kQ4_0) store_nibbles(from, 8, to + 2);
    if (type == kQ5_0) store_q5_codes(from, to + 2);
    if (type == kQ8_0) std::memcpy(to + 2, from, 32);
  }
  return storable;
}

// Rows of int4 per channel.
void encode_int4_group(PartEncoder& parts, std::span<std::byte> out, std::span<float> row_scales) {
  const ScaledType scaled = scaled_type(kInt4);
  PartScales plain;
  PartScales fitted;
  parts.fit_scales(scaled.fitted, scaled.widest, plain, fitted);
  choose(parts, plain, fitted, scaled.range);
  const std::span<const std::int8_t> codes = parts.codes();
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::byte>((codes[2 * i] & 15) | (codes[2 * i + 1] & 15) << 4);
  }
  for (std::size_t row = 0; row < row_scales.size(); ++row) {
    // A scale must be positive; a row of zeros has codes of 0.
    row_scales[row] = fitted.scale[row] > 0.0F ? fitted.scale[row] : 1.0F;
  }
}

// Values that share a scale.
std::size_t part_values(const EncodeOptions& options) {
  switch (options.type) {
    case kInt4: return options.columns;
    case kQ6_K: return 16;
    default: return 32;
  }
}

std::optional<std::size_t> encode_quantized(const EncodeOptions& options,
                                            const kernels::EncodeKernels& kernels,
                                            std::span<const float> rows, std::span<std::byte> out,
                                            std::span<float> row_scales) {
  const std::size_t group = kParts * part_values(options);
  PartEncoder parts(kernels, part_values(options), options.importance);
  for (std::size_t first = 0; first < rows.size(); first += group) {
    const std::size_t values = std::min(group, rows.size() - first);
    const auto group_out =
        out.subspan(*tensor::row_bytes(options.type, first), *tensor::row_bytes(options.type, values));
    parts.load(rows, first);
    bool storable = true;
    switch (options.type) {
      case kInt4:
        encode_int4_group(parts, group_out,
                          row_scales.subspan(first / options.columns, values / options.columns));
        break;
      case kQ4_K: storable = encode_q4_k(parts, group_out); break;
      case kQ6_K: storable = encode_q6_k(parts, group_out); break;
      default: storable = encode_block_group(options.type, kernels, parts, group_out);
    }
    if (!storable) return first / options.columns;
  }
  return std::nullopt;
}

std::optional<std::size_t> encode_floats(const EncodeOptions& options, std::span<const float> rows,
                                         std::byte* out) {
  if (options.type == kF32) {
    std::memcpy(out, rows.data(), rows.size_bytes());
    return std::nullopt;
  }
  const bool half = options.type == kF16;
  const std::uint16_t exponent = half ? 0x7C00 : 0x7F80;
  std::optional<std::size_t> too_large;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::uint16_t bits = half ? tensor::f32_to_f16(rows[i]) : tensor::f32_to_bf16(rows[i]);
    if ((bits & exponent) == exponent && !too_large) too_large = i / options.columns;
    std::memcpy(out + 2 * i, &bits, sizeof bits);
  }
  return too_large;
}

void encode_sfp8(std::size_t columns, std::span<const float> rows, std::span<std::byte> out,
                 std::span<const float> row_scales) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out[i] = static_cast<std::byte>(tensor::f32_to_sfp8(rows[i] / row_scales[i / columns]));
  }
}

}  // namespace

bool can_encode(ElementType type) {
  switch (type) {
    case kF32:
    case kF16:
    case kBF16:
    case kQ4_0:
    case kQ5_0:
    case kQ8_0:
    case kQ4_K:
    case kQ6_K:
    case kInt4:
    case kSFP8: return true;
    default: return false;
  }
}

float sfp8_scale(float largest) { return std::max(1.0F, largest / tensor::kSfp8Largest); }

std::optional<std::size_t> encode_rows(const EncodeOptions& options, const kernels::EncodeKernels& kernels,
                                       std::span<const float> rows, std::span<std::byte> out,
                                       std::span<float> row_scales) {
  CARAT_CHECK(can_encode(options.type) && options.columns > 0 && rows.size() % options.columns == 0);
  CARAT_CHECK(tensor::row_bytes(options.type, rows.size()) == out.size());
  CARAT_CHECK(options.importance.empty() || options.importance.size() == options.columns);
  CARAT_CHECK(!tensor::info(options.type).row_scaled || row_scales.size() == rows.size() / options.columns);
  switch (options.type) {
    case kF32:
    case kF16:
    case kBF16: return encode_floats(options, rows, out.data());
    case kSFP8: encode_sfp8(options.columns, rows, out, row_scales); return std::nullopt;
    default: return encode_quantized(options, kernels, rows, out, row_scales);
  }
}

}  // namespace carat::quantize
