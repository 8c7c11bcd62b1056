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

void linear(ConstMatrixF32 x, ConstMatrixF32 weight, std::span<const float> bias, const LowRank* low_rank,
            MatrixF32 out) {
  CARAT_CHECK(x.columns() == weight.columns());
  CARAT_CHECK(out.rows() == x.rows() && out.columns() == weight.rows());
  CARAT_CHECK(bias.empty() || bias.size() == weight.rows());
  const std::size_t rank = low_rank == nullptr ? 0 : low_rank->down.rows();
  if (low_rank != nullptr) {
    CARAT_CHECK(low_rank->down.columns() == weight.columns());
    CARAT_CHECK(low_rank->up.rows() == weight.rows() && low_rank->up.columns() == rank);
  }

  std::vector<double> narrow(x.rows() * rank);  // down x, [tokens, rank]
  for (std::size_t t = 0; t < x.rows(); ++t) {
    for (std::size_t k = 0; k < rank; ++k) narrow[t * rank + k] = dot(x.row(t), low_rank->down.row(k));
  }
  for (std::size_t r = 0; r < weight.rows(); ++r) {  // the outer loop: weights are what is large
    for (std::size_t t = 0; t < x.rows(); ++t) {
      double sum = dot(x.row(t), weight.row(r));
      if (!bias.empty()) sum += bias[r];
      for (std::size_t k = 0; k < rank; ++k) {
        sum += static_cast<double>(low_rank->scale) * low_rank->up(r, k) * narrow[t * rank + k];
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
