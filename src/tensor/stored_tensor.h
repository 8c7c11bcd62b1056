#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "tensor/element_type.h"

namespace carat::tensor {

// Where a matrix lies in a checkpoint, already checked: rows * row_bytes(type, columns) bytes exist at
// `offset`. Rows are contiguous: element [r, c] of a linear layer maps input c to output r. A vector has rows
// == 1.
struct StoredTensor {
  std::string name;                    // as in the file, for messages
  const ByteSource* source = nullptr;  // outlives every use of this description
  std::uint64_t offset = 0;            // bytes from the start of source
  ElementType type = ElementType::kF32;
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  std::vector<float> row_scales = {};  // [rows], of row-scaled types only
};

}  // namespace carat::tensor
