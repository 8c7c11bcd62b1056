#include "quantize/fit_scale.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace carat::quantize {
namespace {

// Four lanes that every machine has; the compiler would not reorder the sums of a plain loop.
using Lanes = float __attribute__((vector_size(16)));
constexpr std::size_t kLanes = 4;

Lanes load(const float* at) {
  Lanes lanes;
  std::memcpy(&lanes, at, sizeof lanes);
  return lanes;
}
Lanes all(float value) { return Lanes{value, value, value, value}; }
float sum(Lanes a) { return (a[0] + a[2]) + (a[1] + a[3]); }

// To the nearest integer, ties to even, for magnitudes below 2^22: what lies below the units falls off.
constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23
Lanes nearest(Lanes a) { return (a + kRounder) - kRounder; }

Lanes clamped(Lanes a, float low, float high) {
  a = a < low ? all(low) : a;
  return a > high ? all(high) : a;
}

float largest(std::span<const float> x) {
  float most = 0.0F;
  for (const float value : x) {
    if (std::fabs(value) > std::fabs(most)) most = value;
  }
  return most;
}

struct Sums {
  float code_value = 0.0F;  // importance * code * x
  float code_code = 0.0F;   // importance * code^2
};

Sums sums_for(std::span<const float> x, const float* importance, float inverse, CodeRange range) {
  Lanes code_value = all(0.0F);
  Lanes code_code = all(0.0F);
  const auto low = static_cast<float>(range.low);
  const auto high = static_cast<float>(range.high);
  for (std::size_t i = 0; i < x.size(); i += kLanes) {
    const Lanes value = load(x.data() + i);
    const Lanes code = clamped(nearest(value * inverse), low, high);
    const Lanes weighted = code * load(importance + i);
    code_value += weighted * value;
    code_code += weighted * code;
  }
  return {sum(code_value), sum(code_code)};
}

}  // namespace

float plain_scale(std::span<const float> x, CodeRange range) {
  const float most = largest(x);
  return range.low == -range.high ? std::fabs(most) / static_cast<float>(range.high)
                                  : most / static_cast<float>(range.low);
}

float fit_scale(std::span<const float> x, std::span<const float> importance, CodeRange range, float widest) {
  CARAT_CHECK(x.size() % kLanes == 0 && importance.size() == x.size());
  const float most = largest(x);
  if (std::fabs(most) < 1e-30F) return 0.0F;
  float best = 0.0F;
  float scale = 0.0F;
  // Steps from a little more room than the largest value needs; either end of an uneven range may hold it.
  constexpr int kSteps = 7;
  for (int step = 0; step < kSteps; ++step) {
    const float factor = 0.9F + (widest - 0.9F) * static_cast<float>(step) / (kSteps - 1);
    for (const int end : {range.low, range.high}) {
      if (end == range.high && range.low == -range.high) continue;
      const float inverse = factor * static_cast<float>(end) / most;
      // A negative scale is the mirrored range's positive one.
      const CodeRange turned = inverse > 0.0F ? range : CodeRange{-range.high, -range.low};
      const auto [code_value, code_code] = sums_for(x, importance.data(), std::fabs(inverse), turned);
      // With the best scale for these codes, the error is sum(x^2) - code_value^2 / code_code.
      if (code_code <= 0.0F || code_value * code_value <= best * code_code) continue;
      best = code_value * code_value / code_code;
      scale = std::copysign(code_value / code_code, inverse);
    }
  }
  return scale;
}

ScaleAndMin plain_scale_and_min(std::span<const float> x, int high) {
  const auto [least, most] = std::ranges::minmax(x);
  const float min = std::min(least, 0.0F);
  return {(std::max(most, 0.0F) - min) / static_cast<float>(high), min};
}

ScaleAndMin fit_scale_and_min(std::span<const float> x, std::span<const float> importance, int high) {
  CARAT_CHECK(x.size() % kLanes == 0 && importance.size() == x.size());
  const ScaleAndMin plain = plain_scale_and_min(x, high);
  if (plain.scale < 1e-30F) return plain;
  ScaleAndMin best = plain;
  float best_error = HUGE_VALF;
  const auto top = static_cast<float>(high);
  constexpr int kSteps = 8;
  for (int step = 0; step < kSteps; ++step) {
    const float inverse = (top - 1.0F + 2.0F * static_cast<float>(step) / (kSteps - 1)) / (top * plain.scale);
    Lanes w = all(0), wx = all(0), wq = all(0), wqx = all(0), wqq = all(0), wxx = all(0);
    for (std::size_t i = 0; i < x.size(); i += kLanes) {
      const Lanes value = load(x.data() + i);
      const Lanes weight = load(importance.data() + i);
      const Lanes code = clamped(nearest((value - plain.min) * inverse), 0.0F, top);
      w += weight;
      wx += weight * value;
      wq += weight * code;
      wqx += weight * code * value;
      wqq += weight * code * code;
      wxx += weight * value * value;
    }
    const float n = sum(w), sx = sum(wx), sq = sum(wq), sqx = sum(wqx), sqq = sum(wqq), sxx = sum(wxx);
    const float determinant = n * sqq - sq * sq;
    if (determinant <= 0.0F) continue;
    // Least squares for both; a min above zero cannot be stored.
    ScaleAndMin fit = {(n * sqx - sx * sq) / determinant, (sqq * sx - sq * sqx) / determinant};
    if (fit.min > 0.0F) fit = {sqx / sqq, 0.0F};
    const float error = sxx + fit.scale * fit.scale * sqq + fit.min * fit.min * n -
                        2 * (fit.scale * sqx + fit.min * sx - fit.scale * fit.min * sq);
    if (error < best_error && fit.scale > 0.0F) {
      best_error = error;
      best = fit;
    }
  }
  return best;
}

void encode(std::span<const float> x, ScaleAndMin scale, CodeRange range, std::span<std::int8_t> codes) {
  CARAT_CHECK(codes.size() == x.size());
  const float inverse = scale.scale == 0.0F ? 0.0F : 1.0F / scale.scale;
  const bool usable = std::isfinite(inverse);
  const auto low = static_cast<float>(range.low);
  const auto high = static_cast<float>(range.high);
  for (std::size_t i = 0; i < x.size(); ++i) {
    float code = usable ? (x[i] - scale.min) * inverse : 0.0F;
    code = code < low ? low : code;
    code = code > high ? high : code;
    codes[i] = static_cast<std::int8_t>(static_cast<int>((code + kRounder) - kRounder));
  }
}

double weighted_error(std::span<const float> x, std::span<const float> importance,
                      std::span<const std::int8_t> codes, ScaleAndMin scale) {
  float total = 0.0F;
  for (std::size_t i = 0; i < x.size(); i += kLanes) {
    Lanes code = {};
    for (std::size_t lane = 0; lane < kLanes; ++lane) code[lane] = static_cast<float>(codes[i + lane]);
    const Lanes off = code * scale.scale + scale.min - load(x.data() + i);
    total += sum(off * off * load(importance.data() + i));
  }
  return total;
}

}  // namespace carat::quantize
