#include <array>
#include <cstddef>
#include <numeric>
#include <vector>

#include "backend/reference/ops.h"
#include "base/check.h"

namespace carat::backend::reference {
namespace {

// Eight sums side by side, since one long chain of additions would keep the real model's tests waiting.
double dot(std::span<const float> a, std::span<const float> b) {
  constexpr std::size_t kSums = 8;
  std::array<double, kSums> sums{};
  std::size_t i = 0;
  for (; i + kSums <= a.size(); i += kSums) {
    for (std::size_t k = 0; k < kSums; ++k) sums[k] += static_cast<double>(a[i + k]) * b[i + k];
  }
  for (; i < a.size(); ++i) sums[0] += static_cast<double>(a[i]) * b[i];
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace

void linear(ConstMatrixF32 x, ConstMatrixF32 weight, std::span<const float> bias, MatrixF32 out) {
  CARAT_CHECK(x.columns() == weight.columns());
  CARAT_CHECK(out.rows() == x.rows() && out.columns() == weight.rows());
  CARAT_CHECK(bias.empty() || bias.size() == weight.rows());
  for (std::size_t r = 0; r < weight.rows(); ++r) {  // the outer loop: weights are what is large
    for (std::size_t t = 0; t < x.rows(); ++t) {
      double sum = dot(x.row(t), weight.row(r));
      if (!bias.empty()) sum += bias[r];
      out(t, r) = static_cast<float>(sum);
    }
  }
}

void add_low_rank(ConstMatrixF32 x, ConstMatrixF32 down, ConstMatrixF32 up, float scale, MatrixF32 out) {
  CARAT_CHECK(down.columns() == x.columns() && up.columns() == down.rows());
  CARAT_CHECK(out.rows() == x.rows() && out.columns() == up.rows());
  std::vector<double> narrow(down.rows());  // down x[t]
  for (std::size_t t = 0; t < x.rows(); ++t) {
    for (std::size_t k = 0; k < narrow.size(); ++k) narrow[k] = dot(x.row(t), down.row(k));
    for (std::size_t r = 0; r < up.rows(); ++r) {
      double sum = out(t, r);
      for (std::size_t k = 0; k < narrow.size(); ++k) {
        sum += static_cast<double>(scale) * up(r, k) * narrow[k];
      }
      out(t, r) = static_cast<float>(sum);
    }
  }
}

void embed(ConstMatrixF32 table, std::span<const std::int32_t> ids, float scale, MatrixF32 out) {
  CARAT_CHECK(out.rows() == ids.size() && out.columns() == table.columns());
  for (std::size_t t = 0; t < ids.size(); ++t) {
    CARAT_CHECK(ids[t] >= 0 && static_cast<std::size_t>(ids[t]) < table.rows());
    const auto source = table.row(static_cast<std::size_t>(ids[t]));
    for (std::size_t c = 0; c < source.size(); ++c) {
      out(t, c) = static_cast<float>(static_cast<double>(source[c]) * scale);
    }
  }
}

}  // namespace carat::backend::reference
