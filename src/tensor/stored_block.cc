#include "tensor/stored_block.h"

#include <cstring>

#include "base/check.h"

namespace carat::tensor {
namespace {

using enum ElementType;

std::uint16_t f16_at(const std::uint8_t* at) {
  return static_cast<std::uint16_t>(at[0] | (unsigned{at[1]} << 8));
}

std::uint16_t negated(std::uint16_t half) { return half ^ 0x8000U; }

// 16 bytes of nibbles: the low ones are values 0..15, the high ones 16..31.
void read_nibbles(const std::uint8_t* stored, std::uint8_t* codes) {
  for (std::size_t i = 0; i < 16; ++i) {
    codes[i] = stored[i] & 15;
    codes[16 + i] = stored[i] >> 4;
  }
}

// One bit for each of 32 values, to become bit 4 of its code.
void add_fifth_bits(const std::uint8_t* bits, std::uint8_t* codes) {
  for (std::size_t i = 0; i < 32; ++i) {
    codes[i] = static_cast<std::uint8_t>(codes[i] | ((bits[i / 8] >> (i % 8)) & 1) << 4);
  }
}

// The 6-bit scales and mins of Q4_K and Q5_K, 8 of each in 12 bytes.
void read_k_scales(const std::uint8_t* b, StoredBlock& block) {
  for (std::size_t s = 0; s < 4; ++s) {
    block.sub_scales[s] = static_cast<std::int8_t>(b[s] & 63);
    block.sub_mins[s] = static_cast<std::int8_t>(b[s + 4] & 63);
    block.sub_scales[s + 4] = static_cast<std::int8_t>((b[s + 8] & 15) | (b[s] >> 6) << 4);
    block.sub_mins[s + 4] = static_cast<std::int8_t>((b[s + 8] >> 4) | (b[s + 4] >> 6) << 4);
  }
}

// Q4_K and Q5_K nibbles: each 32 bytes hold 32 values in the low halves, then 32 in the high ones.
void read_k_nibbles(const std::uint8_t* stored, std::uint8_t* codes) {
  for (std::size_t i = 0; i < 128; ++i) {
    const std::size_t at = i / 32 * 64 + i % 32;
    codes[at] = stored[i] & 15;
    codes[at + 32] = stored[i] >> 4;
  }
}

// The 2-bit codes of Q2_K and Q3_K: value 128n + 32j + l is bit pair j of byte 32n + l.
void read_bit_pairs(const std::uint8_t* stored, std::uint8_t* codes) {
  for (std::size_t i = 0; i < 256; ++i) {
    codes[i] = (stored[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
  }
}

void read_q2_k(const std::uint8_t* stored, StoredBlock& block) {
  read_bit_pairs(stored + 16, block.codes.data());
  for (std::size_t s = 0; s < 16; ++s) {
    block.sub_scales[s] = static_cast<std::int8_t>(stored[s] & 15);
    block.sub_mins[s] = static_cast<std::int8_t>(stored[s] >> 4);
  }
  block.scale = f16_at(stored + 80);
  block.min = negated(f16_at(stored + 82));
}

void read_q3_k(const std::uint8_t* stored, StoredBlock& block) {
  read_bit_pairs(stored + 32, block.codes.data());
  for (std::size_t i = 0; i < 256; ++i) {
    const unsigned high = (stored[i % 32] >> (i / 32)) & 1U;
    block.codes[i] = static_cast<std::uint8_t>(block.codes[i] | high << 2);
  }
  const std::uint8_t* scales = stored + 96;
  for (std::size_t s = 0; s < 16; ++s) {
    const int low = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
    const int high = (scales[8 + s % 4] >> (2 * (s / 4))) & 3;
    block.sub_scales[s] = static_cast<std::int8_t>((low | high << 4) - 32);
  }
  block.scale = f16_at(stored + 108);
}

void read_q6_k(const std::uint8_t* stored, StoredBlock& block) {
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t half = i / 128;
    const std::size_t quarter = i % 128 / 32;  // which 32 of the half
    const std::size_t l = i % 32;
    const std::uint8_t low_byte = stored[64 * half + 32 * (quarter % 2) + l];
    const unsigned low = quarter < 2 ? low_byte & 15U : low_byte >> 4U;
    const unsigned high = (stored[128 + 32 * half + l] >> (2 * quarter)) & 3U;
    block.codes[i] = static_cast<std::uint8_t>(low | high << 4);
  }
  std::memcpy(block.sub_scales.data(), stored + 192, 16);
  block.scale = f16_at(stored + 208);
}

void read_iq4_xs(const std::uint8_t* stored, StoredBlock& block) {
  const unsigned scales_high = f16_at(stored + 2);
  for (std::size_t s = 0; s < 8; ++s) {
    const unsigned low = (stored[4 + s / 2] >> (4 * (s % 2))) & 15U;
    const unsigned high = (scales_high >> (2 * s)) & 3U;
    block.sub_scales[s] = static_cast<std::int8_t>(static_cast<int>(low | high << 4) - 32);
    read_nibbles(stored + 8 + 16 * s, block.codes.data() + 32 * s);
  }
  block.scale = f16_at(stored);
}

}  // namespace

void read_stored_block(ElementType type, const std::byte* stored_bytes, StoredBlock& block) {
  const auto* stored = reinterpret_cast<const std::uint8_t*>(stored_bytes);
  std::uint8_t* codes = block.codes.data();
  block.scale = f16_at(stored);
  block.min = 0;
  switch (type) {
    case kQ4_0:
    case kIQ4_NL: read_nibbles(stored + 2, codes); return;
    case kQ4_1:
      block.min = f16_at(stored + 2);
      read_nibbles(stored + 4, codes);
      return;
    case kQ5_0:
      read_nibbles(stored + 6, codes);
      add_fifth_bits(stored + 2, codes);
      return;
    case kQ5_1:
      block.min = f16_at(stored + 2);
      read_nibbles(stored + 8, codes);
      add_fifth_bits(stored + 4, codes);
      return;
    case kQ8_0:
      // Two's complement to offset binary, so that every code is an unsigned byte.
      for (std::size_t i = 0; i < 32; ++i) codes[i] = stored[2 + i] ^ 0x80;
      return;
    case kQ2_K: read_q2_k(stored, block); return;
    case kQ3_K: read_q3_k(stored, block); return;
    case kQ4_K:
      block.min = negated(f16_at(stored + 2));
      read_k_scales(stored + 4, block);
      read_k_nibbles(stored + 16, codes);
      return;
    case kQ5_K:
      block.min = negated(f16_at(stored + 2));
      read_k_scales(stored + 4, block);
      read_k_nibbles(stored + 48, codes);
      for (std::size_t i = 0; i < 256; ++i) {
        codes[i] = static_cast<std::uint8_t>(codes[i] | ((stored[16 + i % 32] >> (i / 32)) & 1) << 4);
      }
      return;
    case kQ6_K: read_q6_k(stored, block); return;
    case kIQ4_XS: read_iq4_xs(stored, block); return;
    case kInt4:
      // Two's complement to offset binary.
      for (std::size_t i = 0; i < 16; ++i) {
        codes[2 * i] = (stored[i] & 15) ^ 8;
        codes[2 * i + 1] = (stored[i] >> 4) ^ 8;
      }
      block.scale = 0;
      return;
    case kF32:
    case kF16:
    case kBF16:
    case kSFP8: break;
  }
  CARAT_CHECK(false);
}

}  // namespace carat::tensor
