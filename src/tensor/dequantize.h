#pragma once

#include <cstddef>
#include <span>

#include "tensor/element_type.h"

namespace carat::tensor {

// Decodes whole blocks: `stored` holds out.size() values of `type`, out.size() a multiple of its block.
// Every product is computed exactly as the formulas of ggml's block types say, in f32. Plain loops: this is
// the oracle for the packed kernels, and the way to read single rows and small tensors.
// Row-scaled types come without their scale.
void dequantize(ElementType type, std::span<const std::byte> stored, std::span<float> out);

// values [rows, columns] times the scale of each row; `row_scales` is [rows], or empty for types without.
void apply_row_scales(std::span<const float> row_scales, std::span<float> values);

}  // namespace carat::tensor
