#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "backend/reference/ops.h"
#include "base/check.h"

namespace carat::backend::reference {
namespace {

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

}  // namespace

void dense_attention(ConstMatrixF32 q, ConstMatrixF32 k, ConstMatrixF32 v, std::size_t heads, MatrixF32 out) {
  CARAT_CHECK(heads > 0 && q.columns() % heads == 0);
  for (const ConstMatrixF32& other : {k, v, ConstMatrixF32(out)})
    CARAT_CHECK(other.rows() == q.rows() && other.columns() == q.columns());
  const std::size_t head_dim = q.columns() / heads;
  std::vector<double> weights(q.rows());
  for (std::size_t t = 0; t < q.rows(); ++t) {
    for (std::size_t first = 0; first < q.columns(); first += head_dim) {
      const std::span<const float> query = q.row(t).subspan(first, head_dim);
      double largest = -std::numeric_limits<double>::infinity();
      for (std::size_t s = 0; s < q.rows(); ++s) {
        weights[s] = dot(query, k.row(s).subspan(first, head_dim));
        largest = std::max(largest, weights[s]);
      }
      double total = 0.0;
      for (double& weight : weights) {
        weight = std::exp(weight - largest);
        total += weight;
      }
      for (std::size_t d = first; d < first + head_dim; ++d) {
        double sum = 0.0;
        for (std::size_t s = 0; s < q.rows(); ++s) sum += weights[s] * v(s, d);
        out(t, d) = static_cast<float>(sum / total);
      }
    }
  }
}

}  // namespace carat::backend::reference
