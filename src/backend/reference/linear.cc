#include <cstddef>
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

  std::vector<double> narrow(rank);  // down x
  for (std::size_t t = 0; t < x.rows(); ++t) {
    for (std::size_t k = 0; k < rank; ++k) narrow[k] = dot(x.row(t), low_rank->down.row(k));
    for (std::size_t r = 0; r < weight.rows(); ++r) {
      double sum = dot(x.row(t), weight.row(r));
      if (!bias.empty()) sum += bias[r];
      for (std::size_t k = 0; k < rank; ++k)
        sum += static_cast<double>(low_rank->scale) * low_rank->up(r, k) * narrow[k];
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
