#pragma once

#include <cstddef>
#include <cstdint>

namespace carat::kernels {

// Choosing the scales of quantized weights. Whatever has a scale of its own, a block, a piece of one or a
// row, is a part; sixteen of them go side by side, one a lane, so that no candidate waits for a sum over
// lanes: value i of part p is at x[16 * i + p].
inline constexpr std::size_t kParts = 16;

struct SideBySide {
  const float* x = nullptr;           // [count][kParts], finite
  const float* importance = nullptr;  // [count][kParts], positive: weighs squared errors; null: all alike
  std::size_t count = 0;
};

// What the codes of each part stand for: value = scale * code + min.
struct alignas(64) PartScales {
  float scale[kParts] = {};
  float min[kParts] = {};
};

struct CodeRange {
  int low = -8;
  int high = 7;
};

struct EncodeKernels {
  // [n] halves or bfloat16 as f32.
  void (*widen_f16)(const std::byte* stored, std::size_t n, float* out);
  void (*widen_bf16)(const std::byte* stored, std::size_t n, float* out);
  bool (*all_finite)(const float* x, std::size_t n);

  // plain: the scale that clips nothing: the largest magnitude becomes `low`, or `high` where that is -low.
  // fitted: the one whose codes, rounded to nearest within `range`, give the least weighted squared error
  // among candidates that reach from room above the largest value to inverse scales `widest` times the plain
  // one; 0 where no value is above 1e-30. The mins are 0.
  void (*fit_scales)(const SideBySide& parts, CodeRange range, float widest, PartScales& plain,
                     PartScales& fitted);
  // The same for codes 0 to `high` and a min, which is never positive.
  void (*fit_scales_and_mins)(const SideBySide& parts, int high, PartScales& plain, PartScales& fitted);
  // Scales to what a half holds of them, which is also given [kParts].
  void (*round_scales)(PartScales& scales, std::uint16_t* halves);
  // codes [count][kParts] = the integers nearest to (x - min) / scale within `range`, those nearest to 0 for
  // a scale without an inverse; errors [kParts] = sums of importance * (scale * code + min - x)^2.
  void (*encode)(const SideBySide& parts, const PartScales& scales, CodeRange range, std::int8_t* codes,
                 float* errors);
};

}  // namespace carat::kernels
