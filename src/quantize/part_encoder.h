#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/encode_kernels.h"

namespace carat::quantize {

// How much each column of a matrix matters: mean squares of the activations it is multiplied with, positive,
// [columns]; empty where all matter alike.
using Importance = std::span<const float>;

// Sixteen successive parts of a matrix, side by side as the kernels want them, and what is found for them.
class PartEncoder {
 public:
  using Errors = std::array<float, kernels::kParts>;

  // Parts of `count` values. With importance, rows have importance.size() values, whole parts.
  PartEncoder(const kernels::EncodeKernels& kernels, std::size_t count, Importance importance);

  // Takes the values [first, ...) of the matrix: sixteen parts, or what is left of them, which zeros fill up.
  void load(std::span<const float> matrix, std::size_t first);

  void fit_scales(kernels::CodeRange range, float widest, kernels::PartScales& plain,
                  kernels::PartScales& fitted) const;
  void fit_scales_and_mins(int high, kernels::PartScales& plain, kernels::PartScales& fitted) const;
  // Codes for these scales; gives each part's weighted squared error.
  Errors encode(const kernels::PartScales& scales, kernels::CodeRange range);
  // The codes of the last encode(), part after part: [kParts][count].
  std::span<const std::int8_t> codes();

 private:
  kernels::SideBySide parts() const;

  const kernels::EncodeKernels& kernels_;
  std::size_t count_;
  Importance importance_;
  std::vector<float> values_;   // [count][kParts]
  std::vector<float> weights_;  // the same; empty where all matter alike
  std::vector<std::int8_t> codes_;
  std::vector<std::int8_t> ordered_;  // codes_, part after part
};

}  // namespace carat::quantize
