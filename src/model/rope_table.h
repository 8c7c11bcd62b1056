#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/matrix.h"

namespace carat::model {

// cos and sin of position / factor * theta^(-2 i / head_dim) for i < head_dim / 2 (RoPE, arXiv:2104.09864).
// Angles are exact to f64: a position is 256 a + b, and the two tabulated angles are added by the addition
// theorem, so the tables stay small at any context length.
class RopeTable {
 public:
  RopeTable(double theta, double factor, std::size_t head_dim, std::size_t max_context);

  // Row t of cos and sin [tokens, head_dim / 2] for positions[t] < max_context.
  void fill(std::span<const std::uint32_t> positions, tensor::MatrixF32 cos, tensor::MatrixF32 sin) const;

 private:
  struct Angle {
    double cos;
    double sin;
  };
  std::size_t half_;           // head_dim / 2
  std::vector<Angle> fine_;    // [256, half]: positions 0 .. 255
  std::vector<Angle> coarse_;  // [max_context / 256, half]: multiples of 256
};

}  // namespace carat::model
