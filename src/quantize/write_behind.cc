#include "quantize/write_behind.h"

#include <algorithm>

#include "base/check.h"

namespace carat::quantize {

std::span<std::byte> WriteBehind::extend(std::size_t bytes) {
  const std::size_t at = filling_.size();
  filling_.resize(at + bytes);
  size_ += bytes;
  return std::span(filling_).subspan(at);
}

void WriteBehind::append(std::span<const std::byte> bytes) {
  std::ranges::copy(bytes, extend(bytes.size()).begin());
}

void WriteBehind::turn() {
  CARAT_CHECK(full_.empty());
  if (filling_.size() >= kSlabBytes) filling_.swap(full_);
}

Result<> WriteBehind::write_full() {
  CARAT_TRY_VOID(file_.write(full_));
  full_.clear();
  return {};
}

Result<> WriteBehind::finish() {
  CARAT_TRY_VOID(write_full());
  filling_.swap(full_);
  return write_full();
}

}  // namespace carat::quantize
