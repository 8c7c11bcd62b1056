#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

#include "base/check.h"

namespace carat::tensor {

// A view of f32 rows: element [r, c] is data[r * stride + c], stride >= columns. Views own nothing.
template <class T>
class BasicMatrix {
 public:
  BasicMatrix() = default;
  BasicMatrix(T* data, std::size_t rows, std::size_t columns, std::size_t stride)
      : data_(data), rows_(rows), columns_(columns), stride_(stride) {
    CARAT_CHECK(stride >= columns);
  }
  BasicMatrix(T* data, std::size_t rows, std::size_t columns) : BasicMatrix(data, rows, columns, columns) {}
  operator BasicMatrix<const T>() const { return {data_, rows_, columns_, stride_}; }

  T* data() const { return data_; }
  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  std::size_t stride() const { return stride_; }

  std::span<T> row(std::size_t r) const { return {data_ + r * stride_, columns_}; }
  T& operator()(std::size_t r, std::size_t c) const { return data_[r * stride_ + c]; }

  // `count` rows from `first` on.
  BasicMatrix slice_rows(std::size_t first, std::size_t count) const {
    CARAT_CHECK(first <= rows_ && count <= rows_ - first);
    return {data_ + first * stride_, count, columns_, stride_};
  }
  // `count` columns from `first` on, all rows.
  BasicMatrix slice_columns(std::size_t first, std::size_t count) const {
    CARAT_CHECK(first <= columns_ && count <= columns_ - first);
    return {data_ + first, rows_, count, stride_};
  }

 private:
  T* data_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
  std::size_t stride_ = 0;
};

using MatrixF32 = BasicMatrix<float>;
using ConstMatrixF32 = BasicMatrix<const float>;

// Owns rows of f32, zeroed, 64-byte aligned; the stride is padded to 16 floats.
class OwnedMatrixF32 {
 public:
  OwnedMatrixF32() = default;
  OwnedMatrixF32(std::size_t rows, std::size_t columns);

  MatrixF32 view() { return {data_.get(), rows_, columns_, stride_}; }
  ConstMatrixF32 view() const { return {data_.get(), rows_, columns_, stride_}; }

  // A view of the first `rows` rows and `columns` columns; grows the storage when it is too small, which
  // drops the contents. Scratch buffers use this so that no step allocates once the largest batch was seen.
  MatrixF32 resized(std::size_t rows, std::size_t columns);

 private:
  struct Free {
    void operator()(float* data) const { ::operator delete[](data, std::align_val_t{64}); }
  };
  std::unique_ptr<float[], Free> data_;
  std::size_t capacity_ = 0;  // floats
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
  std::size_t stride_ = 0;
};

}  // namespace carat::tensor
