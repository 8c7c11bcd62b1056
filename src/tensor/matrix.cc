#include "tensor/matrix.h"

#include <algorithm>

#include "base/checked_math.h"

namespace carat::tensor {

OwnedMatrixF32::OwnedMatrixF32(std::size_t rows, std::size_t columns) { resized(rows, columns); }

MatrixF32 OwnedMatrixF32::resized(std::size_t rows, std::size_t columns) {
  rows_ = rows;
  columns_ = columns;
  stride_ = round_up(columns, 16);
  const std::size_t wanted = rows_ * stride_;
  if (wanted > capacity_) {
    data_.reset(new (std::align_val_t{64}) float[wanted]);
    capacity_ = wanted;
    std::fill_n(data_.get(), wanted, 0.0F);
  }
  return view();
}

}  // namespace carat::tensor
