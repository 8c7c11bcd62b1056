#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "tensor/element_type.h"

namespace carat::model {

// How the linear layers of an image tower are held. Files have them as F16, BF16 or F32.
enum class VisionPrecision : std::uint8_t {
  kF32,   // as the file has them: for comparisons with the reference
  kBf16,  // rounded to bfloat16, and so are activations and attention where that is faster
  kInt8,  // the six matrices of each layer and attention in int8, weights with a scale for every 32 columns;
          // the rest as in kBf16
};

// What the operations of a tower of that precision may round to.
backend::Rounding linear_rounding(VisionPrecision precision);
backend::Rounding attention_rounding(VisionPrecision precision);

// A matrix in f32 on its way into a backend.
struct VisionMatrix {
  std::string name;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<float> values = {};  // [rows, columns]
  std::vector<float> bias = {};    // [rows] or empty

  void scale(float factor);                // bias included
  void transpose();                        // without a bias
  void append_rows(std::size_t count);     // of zeros
  void append_columns(std::size_t count);  // of zeros
};

// Rounds the matrix to `type` (F32, BF16 or Q8_0, whose blocks need a multiple of 32 columns) and packs it.
Result<std::unique_ptr<backend::Linear>> pack(backend::Backend& backend, const VisionMatrix& matrix,
                                              tensor::ElementType type);

}  // namespace carat::model
