#include <cmath>
#include <cstddef>
#include <vector>

#include "backend/reference/ops.h"
#include "base/check.h"

namespace carat::backend::reference {
namespace {

double inverse_rms(std::span<const float> x, float epsilon) {
  double squares = 0.0;
  for (const float value : x) squares += static_cast<double>(value) * value;
  return 1.0 / std::sqrt(squares / static_cast<double>(x.size()) + static_cast<double>(epsilon));
}

void check_same_shape(ConstMatrixF32 a, ConstMatrixF32 b) {
  CARAT_CHECK(a.rows() == b.rows() && a.columns() == b.columns());
}

}  // namespace

void rms_norm(ConstMatrixF32 x, std::span<const float> weight, float epsilon, MatrixF32 out) {
  check_same_shape(x, out);
  CARAT_CHECK(weight.size() == x.columns());
  for (std::size_t t = 0; t < x.rows(); ++t) {
    const double factor = inverse_rms(x.row(t), epsilon);
    for (std::size_t c = 0; c < x.columns(); ++c)
      out(t, c) = static_cast<float>(x(t, c) * factor * weight[c]);
  }
}

void add_rms_norm(ConstMatrixF32 branch, std::span<const float> weight, float epsilon, MatrixF32 x) {
  check_same_shape(branch, x);
  CARAT_CHECK(weight.size() == x.columns());
  for (std::size_t t = 0; t < x.rows(); ++t) {
    const double factor = inverse_rms(branch.row(t), epsilon);
    for (std::size_t c = 0; c < x.columns(); ++c) {
      x(t, c) = static_cast<float>(x(t, c) + branch(t, c) * factor * weight[c]);
    }
  }
}

void layer_norm(ConstMatrixF32 x, std::span<const float> weight, std::span<const float> bias, float epsilon,
                MatrixF32 out) {
  check_same_shape(x, out);
  CARAT_CHECK(weight.size() == x.columns() && bias.size() == x.columns());
  const auto columns = static_cast<double>(x.columns());
  for (std::size_t t = 0; t < x.rows(); ++t) {
    double mean = 0.0;
    for (const float value : x.row(t)) mean += value;
    mean /= columns;
    double variance = 0.0;
    for (const float value : x.row(t)) variance += (value - mean) * (value - mean);
    variance /= columns;
    const double factor = 1.0 / std::sqrt(variance + static_cast<double>(epsilon));
    for (std::size_t c = 0; c < x.columns(); ++c) {
      out(t, c) = static_cast<float>((x(t, c) - mean) * factor * weight[c] + bias[c]);
    }
  }
}

void head_norm_rope(MatrixF32 x, std::span<const float> weight, float epsilon, const Rotation& rotation,
                    float multiplier) {
  const std::size_t head_dim = weight.size();
  CARAT_CHECK(head_dim > 0 && head_dim % 2 == 0 && x.columns() % head_dim == 0);
  const std::size_t half = head_dim / 2;
  CARAT_CHECK(rotation.cos.rows() == x.rows() && rotation.cos.columns() == half);
  check_same_shape(rotation.cos, rotation.sin);

  std::vector<double> normed(head_dim);
  for (std::size_t t = 0; t < x.rows(); ++t) {
    for (std::size_t first = 0; first < x.columns(); first += head_dim) {
      const auto head = x.row(t).subspan(first, head_dim);
      const double factor = inverse_rms(head, epsilon);
      for (std::size_t d = 0; d < head_dim; ++d) normed[d] = head[d] * factor * weight[d];
      for (std::size_t d = 0; d < half; ++d) {
        const double cos = rotation.cos(t, d);
        const double sin = rotation.sin(t, d);
        head[d] = static_cast<float>((normed[d] * cos - normed[d + half] * sin) * multiplier);
        head[d + half] = static_cast<float>((normed[d + half] * cos + normed[d] * sin) * multiplier);
      }
    }
  }
}

}  // namespace carat::backend::reference
