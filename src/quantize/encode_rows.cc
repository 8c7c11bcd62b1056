#include "quantize/encode_rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "quantize/fit_scale.h"
#include "quantize/k_blocks.h"
#include "tensor/half.h"
#include "tensor/sfp8.h"

namespace carat::quantize {
namespace {

using tensor::ElementType;
using enum tensor::ElementType;

using Codes32 = std::array<std::int8_t, 32>;

constexpr std::array<float, 256> make_ones() {
  std::array<float, 256> ones = {};
  ones.fill(1.0F);
  return ones;
}
constexpr std::array<float, 256> kAlike = make_ones();

void store_f16(std::byte* at, float value) {
  const std::uint16_t half = tensor::f32_to_f16(value);
  std::memcpy(at, &half, sizeof half);
}

bool is_storable(float scale) { return std::isfinite(tensor::f16_to_f32(tensor::f32_to_f16(scale))); }

// The better of the fitted scale and the plain one, both as f16 holds them, and its codes.
float choose_scale(std::span<const float> x, std::span<const float> importance, CodeRange range, float widest,
                   Codes32& codes) {
  const auto as_stored = [](float scale) { return tensor::f16_to_f32(tensor::f32_to_f16(scale)); };
  const float plain = as_stored(plain_scale(x, range));
  const float fitted = as_stored(fit_scale(x, importance, range, widest));
  Codes32 plain_codes;
  encode(x, {plain, 0.0F}, range, plain_codes);
  encode(x, {fitted, 0.0F}, range, codes);
  if (weighted_error(x, importance, codes, {fitted, 0.0F}) <
      weighted_error(x, importance, plain_codes, {plain, 0.0F})) {
    return fitted;
  }
  codes = plain_codes;
  return plain;
}

std::uint8_t offset(std::int8_t code, int by) { return static_cast<std::uint8_t>(code + by); }

// 16 bytes of nibbles: values 0..15 in the low ones, 16..31 in the high ones.
void store_nibbles(const Codes32& codes, int by, std::byte* out) {
  for (std::size_t i = 0; i < 16; ++i) {
    out[i] = static_cast<std::byte>((offset(codes[i], by) & 15) | (offset(codes[i + 16], by) & 15) << 4);
  }
}

bool encode_q4_0(std::span<const float> x, std::span<const float> importance, std::byte* out) {
  Codes32 codes;
  const float scale = choose_scale(x, importance, {-8, 7}, 1.25F, codes);
  store_f16(out, scale);
  store_nibbles(codes, 8, out + 2);
  return is_storable(scale);
}

bool encode_q5_0(std::span<const float> x, std::span<const float> importance, std::byte* out) {
  Codes32 codes;
  const float scale = choose_scale(x, importance, {-16, 15}, 1.15F, codes);
  store_f16(out, scale);
  std::uint32_t high = 0;
  for (std::size_t i = 0; i < 32; ++i) high |= (std::uint32_t{offset(codes[i], 16)} >> 4) << i;
  std::memcpy(out + 2, &high, sizeof high);
  store_nibbles(codes, 16, out + 6);
  return is_storable(scale);
}

bool encode_q8_0(std::span<const float> x, std::span<const float> importance, std::byte* out) {
  Codes32 codes;
  const float scale = choose_scale(x, importance, {-127, 127}, 1.0F, codes);
  store_f16(out, scale);
  std::memcpy(out + 2, codes.data(), codes.size());
  return is_storable(scale);
}

// The whole row has one scale, so that clipping its few largest values pays.
bool encode_int4(std::span<const float> row, std::span<const float> importance, std::byte* out,
                 float& row_scale) {
  constexpr CodeRange kRange = {-8, 7};
  std::vector<std::int8_t> codes(row.size());
  std::vector<std::int8_t> plain_codes(row.size());
  // The plain scale of this form is the largest magnitude over 7.
  const float plain = plain_scale(row, {-7, 7});
  const float fitted = std::fabs(fit_scale(row, importance, {-7, 7}, 2.2F));
  encode(row, {plain, 0.0F}, kRange, plain_codes);
  encode(row, {fitted, 0.0F}, kRange, codes);
  const bool fits = weighted_error(row, importance, codes, {fitted, 0.0F}) <
                    weighted_error(row, importance, plain_codes, {plain, 0.0F});
  row_scale = fits ? fitted : plain;
  const std::vector<std::int8_t>& chosen = fits ? codes : plain_codes;
  // A scale must be positive; a row of zeros has codes of 0.
  if (!(row_scale > 0.0F)) row_scale = 1.0F;
  for (std::size_t i = 0; i < row.size() / 2; ++i) {
    out[i] = static_cast<std::byte>((chosen[2 * i] & 15) | (chosen[2 * i + 1] & 15) << 4);
  }
  return true;
}

bool encode_floats(ElementType type, std::span<const float> row, std::byte* out) {
  bool storable = true;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (type == kF32) {
      std::memcpy(out + 4 * i, &row[i], 4);
      continue;
    }
    const std::uint16_t bits = type == kF16 ? tensor::f32_to_f16(row[i]) : tensor::f32_to_bf16(row[i]);
    const std::uint16_t exponent = type == kF16 ? 0x7C00 : 0x7F80;
    storable = storable && (bits & exponent) != exponent;
    std::memcpy(out + 2 * i, &bits, sizeof bits);
  }
  return storable;
}

using EncodeBlock = bool (*)(std::span<const float>, std::span<const float>, std::byte*);

EncodeBlock block_encoder(ElementType type) {
  switch (type) {
    case kQ4_0: return encode_q4_0;
    case kQ5_0: return encode_q5_0;
    case kQ8_0: return encode_q8_0;
    case kQ4_K: return encode_q4_k;
    case kQ6_K: return encode_q6_k;
    default: return nullptr;
  }
}

}  // namespace

bool can_encode(ElementType type) {
  return block_encoder(type) != nullptr || type == kF32 || type == kF16 || type == kBF16 || type == kInt4 ||
         type == kSFP8;
}

float sfp8_scale(float largest) { return std::max(1.0F, largest / tensor::kSfp8Largest); }

bool encode_row(ElementType type, std::span<const float> row, Importance importance, std::span<std::byte> out,
                float& row_scale) {
  CARAT_CHECK(can_encode(type) && tensor::row_bytes(type, row.size()) == out.size());
  CARAT_CHECK(importance.empty() || importance.size() == row.size());
  if (type == kSFP8) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out[i] = static_cast<std::byte>(tensor::f32_to_sfp8(row[i] / row_scale));
    }
    return true;
  }
  if (type == kInt4) {
    const std::vector<float> alike(importance.empty() ? row.size() : 0, 1.0F);
    return encode_int4(row, importance.empty() ? std::span<const float>(alike) : importance, out.data(),
                       row_scale);
  }
  const EncodeBlock encode_block = block_encoder(type);
  if (encode_block == nullptr) return encode_floats(type, row, out.data());
  const tensor::ElementTypeInfo& layout = tensor::info(type);
  for (std::size_t block = 0; block < row.size() / layout.block_values; ++block) {
    const std::size_t first = block * layout.block_values;
    const auto weights = importance.empty() ? std::span(kAlike).first(layout.block_values)
                                            : importance.subspan(first, layout.block_values);
    if (!encode_block(row.subspan(first, layout.block_values), weights,
                      out.data() + block * layout.block_bytes)) {
      return false;
    }
  }
  return true;
}

}  // namespace carat::quantize
