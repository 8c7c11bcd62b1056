#include "model/rope_table.h"

#include <cmath>

#include "base/checked_math.h"

namespace carat::model {
namespace {

constexpr std::size_t kFine = 256;

}  // namespace

RopeTable::RopeTable(double theta, double factor, std::size_t head_dim, std::size_t max_context)
    : half_(head_dim / 2) {
  const auto angle = [&](std::size_t position, std::size_t i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(head_dim);
    const double radians = static_cast<double>(position) / factor * std::pow(theta, exponent);
    return Angle{std::cos(radians), std::sin(radians)};
  };
  const std::size_t coarse_count = ceil_div(max_context, kFine);
  fine_.reserve(kFine * half_);
  coarse_.reserve(coarse_count * half_);
  for (std::size_t b = 0; b < kFine; ++b) {
    for (std::size_t i = 0; i < half_; ++i) fine_.push_back(angle(b, i));
  }
  for (std::size_t a = 0; a < coarse_count; ++a) {
    for (std::size_t i = 0; i < half_; ++i) coarse_.push_back(angle(a * kFine, i));
  }
}

void RopeTable::fill(std::span<const std::uint32_t> positions, tensor::MatrixF32 cos,
                     tensor::MatrixF32 sin) const {
  for (std::size_t t = 0; t < positions.size(); ++t) {
    const std::size_t position = positions[t];
    CARAT_CHECK(position / kFine * half_ < coarse_.size());
    const Angle* a = coarse_.data() + position / kFine * half_;
    const Angle* b = fine_.data() + position % kFine * half_;
    for (std::size_t i = 0; i < half_; ++i) {
      cos(t, i) = static_cast<float>(a[i].cos * b[i].cos - a[i].sin * b[i].sin);
      sin(t, i) = static_cast<float>(a[i].sin * b[i].cos + a[i].cos * b[i].sin);
    }
  }
}

}  // namespace carat::model
