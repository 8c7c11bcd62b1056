#include "tensor/dequantize.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "tensor/half.h"
#include "tensor/sfp8.h"

// Layouts follow ggml-common.h, the order of the operations dequantize_row_* of ggml-quants.c, so that
// results agree with ggml's to the bit. All numbers are little-endian; a nibble pair is (low = byte & 15,
// high = byte >> 4).
static_assert(std::endian::native == std::endian::little, "stored numbers are read as they lie in memory");

namespace carat::tensor {
namespace {

using Bytes = const std::uint8_t*;

template <class T>
T load(Bytes at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

float f16_at(Bytes at) { return f16_to_f32(load<std::uint16_t>(at)); }

int low_nibble(std::uint8_t byte) { return byte & 15; }
int high_nibble(std::uint8_t byte) { return byte >> 4; }

// The 16 levels of the IQ4 types.
constexpr std::array<std::int8_t, 16> kIq4Levels = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                    1,    13,   25,  38,  53,  69,  89,  113};

// f16 d, qs[16]
void decode_q4_0(Bytes block, float* out) {
  const float d = f16_at(block);
  const Bytes qs = block + 2;
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>(low_nibble(qs[j]) - 8) * d;
    out[j + 16] = static_cast<float>(high_nibble(qs[j]) - 8) * d;
  }
}

// f16 d, f16 m, qs[16]
void decode_q4_1(Bytes block, float* out) {
  const float d = f16_at(block);
  const float m = f16_at(block + 2);
  const Bytes qs = block + 4;
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>(low_nibble(qs[j])) * d + m;
    out[j + 16] = static_cast<float>(high_nibble(qs[j])) * d + m;
  }
}

// The 5-bit code of value j (0..31): four bits from the nibbles, the fifth from bit j of qh.
int five_bits(Bytes qs, std::uint32_t qh, int j) {
  const int low = j < 16 ? low_nibble(qs[j]) : high_nibble(qs[j - 16]);
  return low | static_cast<int>((qh >> j) & 1u) << 4;
}

// f16 d, u32 qh, qs[16]
void decode_q5_0(Bytes block, float* out) {
  const float d = f16_at(block);
  const auto qh = load<std::uint32_t>(block + 2);
  for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(five_bits(block + 6, qh, j) - 16) * d;
}

// f16 d, f16 m, u32 qh, qs[16]
void decode_q5_1(Bytes block, float* out) {
  const float d = f16_at(block);
  const float m = f16_at(block + 2);
  const auto qh = load<std::uint32_t>(block + 4);
  for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(five_bits(block + 8, qh, j)) * d + m;
}

// f16 d, i8 qs[32]
void decode_q8_0(Bytes block, float* out) {
  const float d = f16_at(block);
  for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(load<std::int8_t>(block + 2 + j)) * d;
}

// scales[16] (low nibble: scale, high: minimum), qs[64], f16 d, f16 dmin; sub-blocks of 16 values
void decode_q2_k(Bytes block, float* out) {
  const Bytes scales = block;
  const Bytes qs = block + 16;
  const float d = f16_at(block + 80);
  const float dmin = f16_at(block + 82);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, group = i / 32 % 4, l = i % 32;
    const int q = (qs[32 * half + l] >> (2 * group)) & 3;
    const std::uint8_t scale = scales[i / 16];
    out[i] = d * static_cast<float>(low_nibble(scale)) * static_cast<float>(q) -
             dmin * static_cast<float>(high_nibble(scale));
  }
}

// hmask[32], qs[64], scales[12] (sixteen 6-bit scales), f16 d; sub-blocks of 16 values
void decode_q3_k(Bytes block, float* out) {
  const Bytes hmask = block;
  const Bytes qs = block + 32;
  const Bytes scales = block + 96;
  const float d = f16_at(block + 108);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, group = i / 32 % 4, l = i % 32;
    const bool high = (hmask[l] >> (4 * half + group)) & 1;
    const int q = ((qs[32 * half + l] >> (2 * group)) & 3) - (high ? 0 : 4);
    const int s = i / 16;
    const int low4 = s < 8 ? low_nibble(scales[s]) : high_nibble(scales[s - 8]);
    const int high2 = (scales[8 + s % 4] >> (2 * (s / 4))) & 3;
    out[i] = d * static_cast<float>((low4 | high2 << 4) - 32) * static_cast<float>(q);
  }
}

struct ScaleAndMinimum {
  float scale;
  float minimum;
};

// Sub-block s (0..7, 32 values each) of the 6-bit scales and minimums that Q4_K and Q5_K pack into 12 bytes.
ScaleAndMinimum k_scale(Bytes b, int s) {
  if (s < 4) return {static_cast<float>(b[s] & 63), static_cast<float>(b[s + 4] & 63)};
  return {static_cast<float>(low_nibble(b[s + 4]) | (b[s - 4] >> 6) << 4),
          static_cast<float>(high_nibble(b[s + 4]) | (b[s] >> 6) << 4)};
}

// f16 d, f16 dmin, scales[12], qs[128]
void decode_q4_k(Bytes block, float* out) {
  const float d = f16_at(block);
  const float dmin = f16_at(block + 2);
  const Bytes qs = block + 16;
  for (int s = 0; s < 8; ++s) {
    const auto [scale, minimum] = k_scale(block + 4, s);
    const float step = d * scale;
    const float base = dmin * minimum;
    for (int l = 0; l < 32; ++l) {
      const std::uint8_t pair = qs[32 * (s / 2) + l];
      const int q = s % 2 == 0 ? low_nibble(pair) : high_nibble(pair);
      out[32 * s + l] = step * static_cast<float>(q) - base;
    }
  }
}

// f16 d, f16 dmin, scales[12], qh[32], qs[128]; bit s of qh[l] is the fifth bit of value l in sub-block s
void decode_q5_k(Bytes block, float* out) {
  const float d = f16_at(block);
  const float dmin = f16_at(block + 2);
  const Bytes qh = block + 16;
  const Bytes qs = block + 48;
  for (int s = 0; s < 8; ++s) {
    const auto [scale, minimum] = k_scale(block + 4, s);
    const float step = d * scale;
    const float base = dmin * minimum;
    for (int l = 0; l < 32; ++l) {
      const std::uint8_t pair = qs[32 * (s / 2) + l];
      const int q = (s % 2 == 0 ? low_nibble(pair) : high_nibble(pair)) | ((qh[l] >> s) & 1) << 4;
      out[32 * s + l] = step * static_cast<float>(q) - base;
    }
  }
}

// ql[128], qh[64], i8 scales[16], f16 d; sub-blocks of 16 values
void decode_q6_k(Bytes block, float* out) {
  const Bytes ql = block;
  const Bytes qh = block + 128;
  const Bytes scales = block + 192;
  const float d = f16_at(block + 208);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, group = i / 32 % 4, l = i % 32;
    const std::uint8_t pair = ql[64 * half + 32 * (group % 2) + l];
    const int low4 = group < 2 ? low_nibble(pair) : high_nibble(pair);
    const int high2 = (qh[32 * half + l] >> (2 * group)) & 3;
    const float step = d * static_cast<float>(static_cast<std::int8_t>(scales[i / 16]));
    out[i] = step * static_cast<float>((low4 | high2 << 4) - 32);
  }
}

// f16 d, qs[16]
void decode_iq4_nl(Bytes block, float* out) {
  const float d = f16_at(block);
  const Bytes qs = block + 2;
  for (int j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>(kIq4Levels[qs[j] & 15]);
    out[j + 16] = d * static_cast<float>(kIq4Levels[qs[j] >> 4]);
  }
}

// f16 d, u16 scales_h, scales_l[4] (eight 6-bit scales), qs[128]; sub-blocks of 32 values
void decode_iq4_xs(Bytes block, float* out) {
  const float d = f16_at(block);
  const auto scales_high = load<std::uint16_t>(block + 2);
  const Bytes scales_low = block + 4;
  for (int s = 0; s < 8; ++s) {
    const int low4 = (scales_low[s / 2] >> (4 * (s % 2))) & 15;
    const int high2 = (scales_high >> (2 * s)) & 3;
    const float step = d * static_cast<float>((low4 | high2 << 4) - 32);
    const Bytes qs = block + 8 + std::ptrdiff_t{16} * s;
    for (int j = 0; j < 16; ++j) {
      out[32 * s + j] = step * static_cast<float>(kIq4Levels[qs[j] & 15]);
      out[32 * s + j + 16] = step * static_cast<float>(kIq4Levels[qs[j] >> 4]);
    }
  }
}

// Two's complement nibbles, the low one first
void decode_int4(Bytes block, float* out) {
  for (std::ptrdiff_t j = 0; j < 16; ++j) {
    out[2 * j] = static_cast<float>((low_nibble(block[j]) ^ 8) - 8);
    out[2 * j + 1] = static_cast<float>((high_nibble(block[j]) ^ 8) - 8);
  }
}

void decode_f32(Bytes block, float* out) { *out = load<float>(block); }
void decode_f16(Bytes block, float* out) { *out = f16_at(block); }
void decode_bf16(Bytes block, float* out) { *out = bf16_to_f32(load<std::uint16_t>(block)); }
void decode_sfp8(Bytes block, float* out) { *out = sfp8_to_f32(*block); }

using DecodeBlock = void (*)(Bytes, float*);

DecodeBlock decoder_of(ElementType type) {
  using enum ElementType;
  switch (type) {
    case kF32: return decode_f32;
    case kF16: return decode_f16;
    case kBF16: return decode_bf16;
    case kQ4_0: return decode_q4_0;
    case kQ4_1: return decode_q4_1;
    case kQ5_0: return decode_q5_0;
    case kQ5_1: return decode_q5_1;
    case kQ8_0: return decode_q8_0;
    case kQ2_K: return decode_q2_k;
    case kQ3_K: return decode_q3_k;
    case kQ4_K: return decode_q4_k;
    case kQ5_K: return decode_q5_k;
    case kQ6_K: return decode_q6_k;
    case kIQ4_NL: return decode_iq4_nl;
    case kIQ4_XS: return decode_iq4_xs;
    case kInt4: return decode_int4;
    case kSFP8: return decode_sfp8;
  }
  return nullptr;
}

}  // namespace

void dequantize(ElementType type, std::span<const std::byte> stored, std::span<float> out) {
  const ElementTypeInfo& layout = info(type);
  const DecodeBlock decode_block = decoder_of(type);
  CARAT_CHECK(decode_block != nullptr);
  CARAT_CHECK(out.size() % layout.block_values == 0);
  const std::size_t blocks = out.size() / layout.block_values;
  CARAT_CHECK(stored.size() == blocks * layout.block_bytes);
  const auto* bytes = reinterpret_cast<Bytes>(stored.data());
  for (std::size_t b = 0; b < blocks; ++b) {
    decode_block(bytes + b * layout.block_bytes, out.data() + b * layout.block_values);
  }
}

void apply_row_scales(std::span<const float> row_scales, std::span<float> values) {
  if (row_scales.empty()) return;
  const std::size_t columns = values.size() / row_scales.size();
  CARAT_CHECK(columns * row_scales.size() == values.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= row_scales[i / columns];
}

}  // namespace carat::tensor
