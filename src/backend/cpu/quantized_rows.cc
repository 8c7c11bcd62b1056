#include "backend/cpu/quantized_rows.h"

#include "base/checked_math.h"

namespace carat::backend {

using kernels::ActivationBlock;

void QuantizedRows::quantize(const LinearInput& input, bool all_in_two_terms, const kernels::Kernels& kernels,
                             parallel::ThreadPool& pool) {
  const std::size_t columns = input.x.columns();
  const std::size_t blocks = columns / 32;
  first_terms_ = input.x.rows();
  second_terms_.clear();
  std::vector<std::size_t> second_row(first_terms_, 0);  // 0: none
  for (std::size_t row = 0; row < first_terms_; ++row) {
    if (!all_in_two_terms && (input.outlier_rows.empty() || input.outlier_rows[row] == 0)) continue;
    second_row[row] = first_terms_ + second_terms_.size();
    second_terms_.push_back(row);
  }
  const std::size_t tile = kernels::activation_tile(rows());
  const std::size_t bytes = round_up(rows(), tile) * blocks * sizeof(ActivationBlock);
  if (bytes > storage_.size()) {
    auto grown = HugeBuffer::allocate(bytes);
    CARAT_CHECK(grown.has_value());  // bounded by the batch, which the caller sized to fit
    storage_ = std::move(*grown);
  }
  auto* out = reinterpret_cast<ActivationBlock*>(storage_.data());
  const auto place = [&](std::size_t row) { return out + row / tile * blocks * tile + row % tile; };
  // A few rows are not worth waking anybody.
  constexpr std::size_t kRowsPerTask = 8;
  pool.run(ceil_div(first_terms_, kRowsPerTask), [&](std::size_t task, std::size_t) {
    std::vector<float> rest;
    const std::size_t end = std::min(first_terms_, (task + 1) * kRowsPerTask);
    for (std::size_t row = task * kRowsPerTask; row < end; ++row) {
      const float* x = input.x.row(row).data();
      if (second_row[row] == 0) {
        kernels.quantize(x, columns, place(row), tile, nullptr);
        continue;
      }
      rest.resize(columns);
      kernels.quantize(x, columns, place(row), tile, rest.data());
      kernels.quantize(rest.data(), columns, place(second_row[row]), tile, nullptr);
    }
  });
}

}  // namespace carat::backend
