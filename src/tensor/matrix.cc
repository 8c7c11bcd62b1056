#include "tensor/matrix.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

#include "base/checked_math.h"

namespace carat::tensor {
namespace {

// Kernels walk down columns of rows that are kilobytes apart, each on a page of its own: in large matrices
// small pages would miss the TLB at every step. Advice only; not taken, it costs time and nothing else.
void ask_for_huge_pages(float* data, std::size_t floats) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  constexpr std::size_t kPage = 4096;
  const std::size_t bytes = floats * sizeof(float);
  if (bytes < 2 * kHugePage) return;
  const std::size_t head = (kPage - reinterpret_cast<std::uintptr_t>(data) % kPage) % kPage;
  ::madvise(reinterpret_cast<std::byte*>(data) + head, (bytes - head) / kPage * kPage, MADV_HUGEPAGE);
}

}  // namespace

OwnedMatrixF32::OwnedMatrixF32(std::size_t rows, std::size_t columns) { resized(rows, columns); }

MatrixF32 OwnedMatrixF32::resized(std::size_t rows, std::size_t columns) {
  rows_ = rows;
  columns_ = columns;
  stride_ = round_up(columns, 16);
  const std::size_t wanted = rows_ * stride_;
  if (wanted > capacity_) {
    data_.reset(new (std::align_val_t{64}) float[wanted]);
    capacity_ = wanted;
    ask_for_huge_pages(data_.get(), wanted);
    std::fill_n(data_.get(), wanted, 0.0F);
  }
  return view();
}

}  // namespace carat::tensor
