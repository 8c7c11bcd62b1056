#include "quantize/part_encoder.h"

#include <algorithm>

#include "base/check.h"

namespace carat::quantize {
namespace {

using kernels::kParts;
using kernels::PartScales;

// in: rows of `columns` that start `stride` apart; out [columns][rows]. Whole tiles of 16 x 16 stay in cache.
template <class T>
void transpose(const T* in, std::size_t rows, std::size_t stride, std::size_t columns, T* out,
               std::size_t out_stride) {
  for (std::size_t column = 0; column < columns; ++column) {
    for (std::size_t row = 0; row < rows; ++row) out[column * out_stride + row] = in[row * stride + column];
  }
}

}  // namespace

PartEncoder::PartEncoder(const kernels::EncodeKernels& kernels, std::size_t count, Importance importance)
    : kernels_(kernels),
      count_(count),
      importance_(importance),
      values_(count * kParts),
      weights_(importance.empty() ? 0 : count * kParts),
      codes_(count * kParts),
      ordered_(count * kParts) {
  CARAT_CHECK(importance.size() % count == 0);
}

void PartEncoder::load(std::span<const float> matrix, std::size_t first) {
  const std::size_t live = std::min(kParts, (matrix.size() - first) / count_);
  if (live < kParts) std::ranges::fill(values_, 0.0F);
  transpose(matrix.data() + first, live, count_, count_, values_.data(), kParts);
  if (importance_.empty()) return;
  for (std::size_t part = 0; part < kParts; ++part) {
    const std::size_t column = (first + part * count_) % importance_.size();
    transpose(importance_.data() + column, 1, count_, count_, weights_.data() + part, kParts);
  }
}

kernels::SideBySide PartEncoder::parts() const {
  return {values_.data(), weights_.empty() ? nullptr : weights_.data(), count_};
}

void PartEncoder::fit_scales(kernels::CodeRange range, float widest, PartScales& plain,
                             PartScales& fitted) const {
  kernels_.fit_scales(parts(), range, widest, plain, fitted);
}

void PartEncoder::fit_scales_and_mins(int high, PartScales& plain, PartScales& fitted) const {
  kernels_.fit_scales_and_mins(parts(), high, plain, fitted);
}

PartEncoder::Errors PartEncoder::encode(const PartScales& scales, kernels::CodeRange range) {
  Errors errors = {};
  kernels_.encode(parts(), scales, range, codes_.data(), errors.data());
  return errors;
}

std::span<const std::int8_t> PartEncoder::codes() {
  transpose(codes_.data(), count_, kParts, kParts, ordered_.data(), count_);
  return ordered_;
}

}  // namespace carat::quantize
