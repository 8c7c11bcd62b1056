#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/byte_source.h"
#include "base/result.h"

namespace carat::formats {

// Reads the front of a file in order, through a buffer, never past `limit` bytes or the end of the source.
// Little-endian, like the machines this runs on.
class HeaderReader {
 public:
  HeaderReader(const ByteSource& source, std::uint64_t limit);

  std::uint64_t position() const { return buffer_start_ + used_; }
  // Bytes that could still be read; a count taken from the file is compared with it before anything is
  // allocated.
  std::uint64_t remaining() const { return end_ - position(); }

  // `what` names the field in errors, e.g. "the number of tensors".
  template <class T>
    requires std::is_trivially_copyable_v<T>
  Result<T> read(std::string_view what) {
    T value;
    CARAT_TRY_VOID(read_bytes(std::as_writable_bytes(std::span(&value, 1)), what));
    return value;
  }

  Result<> read_bytes(std::span<std::byte> out, std::string_view what);

  // A u64 length and that many bytes, appended to `out`; kInvalidModel when longer than `max_bytes`.
  Result<std::size_t> append_string(std::vector<char>& out, std::size_t max_bytes, std::string_view what);
  Result<std::string> read_string(std::size_t max_bytes, std::string_view what);

 private:
  Result<> refill();
  Result<std::size_t> string_length(std::size_t max_bytes, std::string_view what);
  std::unexpected<Error> ends_early(std::string_view what, std::uint64_t wanted) const;

  const ByteSource& source_;
  std::uint64_t end_;
  std::vector<std::byte> buffer_;
  std::uint64_t buffer_start_ = 0;  // offset in the source of buffer_[0]
  std::size_t used_ = 0;            // bytes of buffer_ already handed out
};

}  // namespace carat::formats
