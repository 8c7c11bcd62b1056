#pragma once

// Quantized activations for tests, laid out as kernels.h says, by loops of their own.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "kernels/kernels.h"
#include "tensor/matrix.h"

namespace carat::kernels {

// Each row's blocks, one row after another, quantized by `kernels`.
class QuantizedRowList {
 public:
  QuantizedRowList(const Kernels& kernels, tensor::ConstMatrixF32 x) : blocks_(x.columns() / 32) {
    list_.resize(x.rows() * blocks_);
    for (std::size_t r = 0; r < x.rows(); ++r) {
      kernels.quantize(x.row(r).data(), x.columns(), list_.data() + r * blocks_, 1, nullptr);
    }
  }

  const ActivationBlock* row(std::size_t r) const { return list_.data() + r * blocks_; }

  // Rows [0, rows) in tiles, the padding filled with bytes that are NaN as scales.
  std::vector<ActivationBlock> tiled(std::size_t rows) const {
    const std::size_t tile = activation_tile(rows);
    const std::size_t padded = (rows + tile - 1) / tile * tile;
    std::vector<ActivationBlock> out(padded * blocks_);
    std::memset(static_cast<void*>(out.data()), 0xFF, out.size() * sizeof(ActivationBlock));
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t b = 0; b < blocks_; ++b) out[(r / tile * blocks_ + b) * tile + r % tile] = row(r)[b];
    }
    return out;
  }

 private:
  std::size_t blocks_;
  std::vector<ActivationBlock> list_;
};

inline int activation_code(const ActivationBlock& block, std::size_t column) {
  std::int8_t codes[32];
  std::memcpy(codes, block.quads, sizeof codes);
  return codes[column];
}

}  // namespace carat::kernels
