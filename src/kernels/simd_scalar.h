#pragma once

// The 16-lane vectors that every kernel is written in, as plain loops: what the other levels must equal to
// the bit. Included once by each level_*.cc, never by anything else.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor/half.h"

// Nothing to gain here, and much compile time to lose.
#define CARAT_UNROLL

namespace carat::kernels {
namespace {

constexpr int kGemmRows = 4;    // activation rows that a GEMM tile keeps in registers
constexpr int kGemmPanels = 1;  // panels that share what it reads of them: half as many rows then
// Vectors of queries that share what attention reads of keys and values.
constexpr std::size_t kSharedVectors = 1;

struct F32x16 {
  float lane[16];
};
struct I32x16 {
  std::int32_t lane[16];
};
struct Bytes {
  std::uint8_t lane[64];
};

template <class V, class F>
inline V each_lane(F f) {
  V out;
  for (int i = 0; i < 16; ++i) out.lane[i] = f(i);
  return out;
}

inline F32x16 set1(float value) {
  return each_lane<F32x16>([&](int) { return value; });
}
inline F32x16 load(const float* at) {
  return each_lane<F32x16>([&](int i) { return at[i]; });
}
// The first n < 16 lanes from memory, zeros above.
inline F32x16 load_n(const float* at, std::size_t n) {
  return each_lane<F32x16>([&](int i) { return static_cast<std::size_t>(i) < n ? at[i] : 0.0F; });
}
inline void store(float* at, F32x16 v) { std::memcpy(at, v.lane, sizeof v.lane); }
inline void store_n(float* at, F32x16 v, std::size_t n) { std::memcpy(at, v.lane, n * sizeof(float)); }

inline F32x16 add(F32x16 a, F32x16 b) {
  return each_lane<F32x16>([&](int i) { return a.lane[i] + b.lane[i]; });
}
inline F32x16 sub(F32x16 a, F32x16 b) {
  return each_lane<F32x16>([&](int i) { return a.lane[i] - b.lane[i]; });
}
inline F32x16 mul(F32x16 a, F32x16 b) {
  return each_lane<F32x16>([&](int i) { return a.lane[i] * b.lane[i]; });
}
inline F32x16 div(F32x16 a, F32x16 b) {
  return each_lane<F32x16>([&](int i) { return a.lane[i] / b.lane[i]; });
}
// a * b + c, rounded once
inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return each_lane<F32x16>([&](int i) { return __builtin_fmaf(a.lane[i], b.lane[i], c.lane[i]); });
}
// As the x86 instructions: b where either is NaN.
inline F32x16 max(F32x16 a, F32x16 b) {
  return each_lane<F32x16>([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline F32x16 min(F32x16 a, F32x16 b) {
  return each_lane<F32x16>([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline F32x16 abs(F32x16 a) {
  return each_lane<F32x16>([&](int i) { return __builtin_fabsf(a.lane[i]); });
}
// Lanes of x where a > b, of y elsewhere, so also where either is NaN.
inline F32x16 where_greater(F32x16 a, F32x16 b, F32x16 x, F32x16 y) {
  return each_lane<F32x16>([&](int i) { return a.lane[i] > b.lane[i] ? x.lane[i] : y.lane[i]; });
}
// Lanes [begin, end) from a, the others from b.
inline F32x16 select_lanes(int begin, int end, F32x16 a, F32x16 b) {
  return each_lane<F32x16>([&](int i) { return i >= begin && i < end ? a.lane[i] : b.lane[i]; });
}
// Halves are added until one lane is left: ((0+8)+(4+12))+..., the order every level keeps.
inline float reduce_add(F32x16 a) {
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) a.lane[i] += a.lane[i + width];
  }
  return a.lane[0];
}
inline float reduce_max(F32x16 a) {
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) a.lane[i] = a.lane[i] > a.lane[i + width] ? a.lane[i] : a.lane[i + width];
  }
  return a.lane[0];
}

template <int Count>
struct Halves {
  std::uint16_t lane[Count];
};
template <int Count>
inline Halves<Count> load_halves(const void* at) {
  Halves<Count> out;
  std::memcpy(out.lane, at, sizeof out.lane);
  return out;
}
inline F32x16 load_f16(const void* at) {
  const Halves<16> halves = load_halves<16>(at);
  return each_lane<F32x16>([&](int i) { return tensor::f16_to_f32(halves.lane[i]); });
}
inline F32x16 load_bf16(const void* at) {
  const Halves<16> halves = load_halves<16>(at);
  return each_lane<F32x16>([&](int i) { return tensor::bf16_to_f32(halves.lane[i]); });
}
inline void store_f16(void* at, F32x16 v) {
  const auto halves = each_lane<Halves<16>>([&](int i) { return tensor::f32_to_f16(v.lane[i]); });
  std::memcpy(at, halves.lane, sizeof halves.lane);
}
inline void store_bf16(void* at, F32x16 v) {
  const auto halves = each_lane<Halves<16>>([&](int i) { return tensor::f32_to_bf16(v.lane[i]); });
  std::memcpy(at, halves.lane, sizeof halves.lane);
}
// 16 signed bytes as floats.
inline F32x16 load_i8(const void* at) {
  std::int8_t bytes[16];
  std::memcpy(bytes, at, 16);
  return each_lane<F32x16>([&](int i) { return static_cast<float>(bytes[i]); });
}

inline I32x16 set1(std::int32_t value) {
  return each_lane<I32x16>([&](int) { return value; });
}
inline I32x16 shift_left(I32x16 a, int bits) {
  return each_lane<I32x16>(
      [&](int i) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(a.lane[i]) << bits); });
}
inline F32x16 to_f32(I32x16 a) {
  return each_lane<F32x16>([&](int i) { return static_cast<float>(a.lane[i]); });
}
// To the nearest integer, ties to even; what an int32 cannot hold becomes INT32_MIN, as in x86.
inline I32x16 to_nearest(F32x16 a) {
  return each_lane<I32x16>([&](int i) {
    const float rounded = __builtin_rintf(a.lane[i]);
    return rounded >= -0x1p31F && rounded < 0x1p31F ? static_cast<std::int32_t>(rounded) : INT32_MIN;
  });
}
// 2^a for a in [-126, 127].
inline F32x16 exp2_int(I32x16 a) {
  return each_lane<F32x16>([&](int i) {
    const std::uint32_t bits = static_cast<std::uint32_t>(a.lane[i] + 127) << 23;
    float value = 0;
    std::memcpy(&value, &bits, 4);
    return value;
  });
}
// x - floor(x)
inline F32x16 fraction(F32x16 x) {
  return each_lane<F32x16>([&](int i) { return x.lane[i] - __builtin_floorf(x.lane[i]); });
}
// a * 2^floor(x) for x <= 127; anything below 2^-120 where x is below -126.
inline F32x16 scale_by_exp2(F32x16 a, F32x16 x) {
  return each_lane<F32x16>([&](int i) {
    const float held = x.lane[i] > -126.0F ? x.lane[i] : -126.0F;
    return __builtin_ldexpf(a.lane[i], static_cast<int>(__builtin_floorf(held)));
  });
}
inline std::int32_t reduce_add(I32x16 a) {
  std::int32_t sum = 0;
  for (int i = 0; i < 16; ++i) sum += a.lane[i];
  return sum;
}
// The low byte of each lane; the caller keeps them in [-128, 127].
inline void store_i8(void* at, I32x16 a) {
  for (int i = 0; i < 16; ++i) static_cast<std::int8_t*>(at)[i] = static_cast<std::int8_t>(a.lane[i]);
}

// The low byte of each lane of a, b, c and d in this order, all of them in [0, 255].
inline Bytes pack_bytes(I32x16 a, I32x16 b, I32x16 c, I32x16 d) {
  Bytes out;
  for (std::size_t i = 0; i < 16; ++i) {
    out.lane[4 * i] = static_cast<std::uint8_t>(a.lane[i]);
    out.lane[4 * i + 1] = static_cast<std::uint8_t>(b.lane[i]);
    out.lane[4 * i + 2] = static_cast<std::uint8_t>(c.lane[i]);
    out.lane[4 * i + 3] = static_cast<std::uint8_t>(d.lane[i]);
  }
  return out;
}
inline Bytes load_bytes(const void* at) {
  Bytes out;
  std::memcpy(out.lane, at, 64);
  return out;
}
inline void store_bytes(void* at, Bytes v) { std::memcpy(at, v.lane, 64); }
template <int Mask>
inline Bytes bit_and(Bytes v) {
  for (int i = 0; i < 64; ++i) v.lane[i] &= Mask;
  return v;
}
template <int Value>
inline Bytes set1_bytes() {
  Bytes out;
  std::memset(out.lane, Value, 64);
  return out;
}
inline Bytes add_bytes(Bytes a, Bytes b) {
  for (int i = 0; i < 64; ++i) a.lane[i] = static_cast<std::uint8_t>(a.lane[i] + b.lane[i]);
  return a;
}
template <int Limit>
inline Bytes min_bytes(Bytes v) {
  for (int i = 0; i < 64; ++i) v.lane[i] = v.lane[i] < Limit ? v.lane[i] : Limit;
  return v;
}
// v where `tested` is not zero, zero elsewhere
inline Bytes where_not_zero(Bytes tested, Bytes v) {
  for (int i = 0; i < 64; ++i) v.lane[i] = tested.lane[i] != 0 ? v.lane[i] : 0;
  return v;
}
// Pairs (low, high) of the first 8 bytes of each 16 to `first`, of the last 8 to `second`.
inline void interleave(Bytes low, Bytes high, Bytes& first, Bytes& second) {
  for (int i = 0; i < 64; ++i) {
    Bytes& out = i % 16 < 8 ? first : second;
    out.lane[i / 16 * 16 + i % 8 * 2] = low.lane[i];
    out.lane[i / 16 * 16 + i % 8 * 2 + 1] = high.lane[i];
  }
}
// 32 bfloat16 as pairs: even elements to `even`, odd ones to `odd`.
inline void split_bf16_pairs(Bytes pairs, F32x16& even, F32x16& odd) {
  const Halves<32> halves = load_halves<32>(pairs.lane);
  for (std::size_t i = 0; i < 16; ++i) {
    even.lane[i] = tensor::bf16_to_f32(halves.lane[2 * i]);
    odd.lane[i] = tensor::bf16_to_f32(halves.lane[2 * i + 1]);
  }
}
// (each byte shifted right by Shift, left when negative) & Mask
template <int Shift, int Mask>
inline Bytes shift_and(Bytes v) {
  for (int i = 0; i < 64; ++i) {
    const int shifted =
        Shift >= 0 ? v.lane[i] >> (Shift >= 0 ? Shift : 0) : v.lane[i] << (Shift < 0 ? -Shift : 0);
    v.lane[i] = static_cast<std::uint8_t>(shifted & Mask);
  }
  return v;
}
inline Bytes bit_or(Bytes a, Bytes b) {
  for (int i = 0; i < 64; ++i) a.lane[i] |= b.lane[i];
  return a;
}
// table[v] for bytes below 16
inline Bytes look_up(const std::uint8_t* table, Bytes v) {
  for (int i = 0; i < 64; ++i) v.lane[i] = table[v.lane[i]];
  return v;
}

// Dot products of unsigned codes with four signed activations, which every lane shares. The codes stand for
// code - 2^offset_bits; `neg_sum` is minus the sum of the activations. Full says that codes use all 8 bits.
template <bool Full>
inline I32x16 dot_start(std::int32_t neg_sum, int offset_bits) {
  return shift_left(set1(neg_sum), offset_bits);
}
// The same for dot<true> with codes that stand for themselves; `sum` is that of the activations.
inline I32x16 unsigned_start(std::int32_t) { return set1(std::int32_t{0}); }
template <bool Full>
inline I32x16 dot(I32x16 sum, Bytes codes, const std::int32_t& quad) {
  std::int8_t activation[4];
  std::memcpy(activation, &quad, 4);
  for (int i = 0; i < 16; ++i) {
    for (int c = 0; c < 4; ++c) sum.lane[i] += codes.lane[4 * i + c] * activation[c];
  }
  return sum;
}

}  // namespace
}  // namespace carat::kernels
