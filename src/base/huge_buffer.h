#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "base/result.h"

namespace carat {

// Owned anonymous memory, 64-byte aligned at least, zeroed, in huge pages where the system gives them.
// A small 4-bit GEMV reads about 1.5 times faster from huge pages than from 4 KiB ones.
class HugeBuffer {
 public:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;

  HugeBuffer() = default;
  ~HugeBuffer();
  HugeBuffer(HugeBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  HugeBuffer& operator=(HugeBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  // Memory that a buffer of so many bytes occupies once all of it was written: whole pages, huge ones where
  // it is large enough for them.
  static std::size_t resident_bytes(std::size_t bytes);

  // kDoesNotFit when the system refuses. Zero bytes give an empty buffer.
  static Result<HugeBuffer> allocate(std::size_t bytes);

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::span<std::byte> bytes() { return {data_, size_}; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace carat
