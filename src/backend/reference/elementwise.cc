#include <cmath>
#include <cstddef>
#include <numbers>

#include "backend/reference/ops.h"
#include "base/check.h"

namespace carat::backend::reference {
namespace {

// The tanh form of GELU (arXiv:1606.08415, section 2).
double gelu_tanh(double x) {
  const double inner = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return 0.5 * x * (1.0 + std::tanh(inner));
}

}  // namespace

void geglu(MatrixF32 gate, ConstMatrixF32 up) {
  CARAT_CHECK(gate.rows() == up.rows() && gate.columns() == up.columns());
  for (std::size_t t = 0; t < gate.rows(); ++t) {
    for (std::size_t c = 0; c < gate.columns(); ++c) {
      gate(t, c) = static_cast<float>(gelu_tanh(gate(t, c)) * up(t, c));
    }
  }
}

void gelu(MatrixF32 x) {
  for (std::size_t t = 0; t < x.rows(); ++t) {
    for (float& value : x.row(t)) value = static_cast<float>(gelu_tanh(value));
  }
}

void add(MatrixF32 x, ConstMatrixF32 y) {
  CARAT_CHECK(x.rows() == y.rows() && x.columns() == y.columns());
  for (std::size_t t = 0; t < x.rows(); ++t) {
    for (std::size_t c = 0; c < x.columns(); ++c) {
      x(t, c) = static_cast<float>(static_cast<double>(x(t, c)) + y(t, c));
    }
  }
}

}  // namespace carat::backend::reference
