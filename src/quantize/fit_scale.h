#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace carat::quantize {

// Codes of one block and what they stand for: value = scale * code + min. `importance` [n] weighs the squared
// error of each value; it is positive.

// The range of a symmetric code, -8 to 7 for four bits.
struct CodeRange {
  int low = -8;
  int high = 7;
};

// The scale with which round-to-nearest codes within `range` give the least weighted squared error, among
// candidates that reach from clipping the largest values to leaving room above them. `widest` says how much
// of the largest value may be clipped: candidates go up to `widest` times the inverse scale that clips
// nothing. x.size() is a multiple of 4. 0 when all are zero.
float fit_scale(std::span<const float> x, std::span<const float> importance, CodeRange range, float widest);

// The scale that clips nothing: the largest magnitude becomes `low`, or `high` when that is -low.
float plain_scale(std::span<const float> x, CodeRange range);

struct ScaleAndMin {
  float scale = 0.0F;
  float min = 0.0F;  // never positive
};

// The same for codes 0 to `high`, value = scale * code + min.
ScaleAndMin fit_scale_and_min(std::span<const float> x, std::span<const float> importance, int high);
ScaleAndMin plain_scale_and_min(std::span<const float> x, int high);

// codes[i] = the integer nearest to (x[i] - min) / scale within [low, high]; `low` for scale 0.
void encode(std::span<const float> x, ScaleAndMin scale, CodeRange range, std::span<std::int8_t> codes);

// sum of importance * (scale * code + min - x)^2
double weighted_error(std::span<const float> x, std::span<const float> importance,
                      std::span<const std::int8_t> codes, ScaleAndMin scale);

}  // namespace carat::quantize
