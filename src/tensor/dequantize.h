#pragma once

#include <cstddef>
#include <span>

#include "tensor/element_type.h"

namespace carat::tensor {

// Decodes whole blocks: `stored` holds out.size() values of `type`, out.size() a multiple of its block.
// Every product is computed exactly as the formulas of ggml's block types say, in f32. Plain loops: this is
// the oracle for the packed kernels, and the way to read single rows and small tensors.
void dequantize(ElementType type, std::span<const std::byte> stored, std::span<float> out);

}  // namespace carat::tensor
