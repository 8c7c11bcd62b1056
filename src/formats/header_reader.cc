#include "formats/header_reader.h"

#include <algorithm>

namespace carat::formats {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

}  // namespace

static_assert(std::endian::native == std::endian::little);

HeaderReader::HeaderReader(const ByteSource& source, std::uint64_t limit)
    : source_(source), end_(std::min(source.size(), limit)) {}

std::unexpected<Error> HeaderReader::ends_early(std::string_view what, std::uint64_t wanted) const {
  if (end_ < source_.size()) {
    return fail(ErrorKind::kInvalidModel, "{}: the header is larger than {} bytes (while reading {})",
                source_.name(), end_, what);
  }
  return fail(ErrorKind::kInvalidModel, "{}: the file ends at byte {}, but {} needs {} bytes at {}",
              source_.name(), end_, what, wanted, position());
}

Result<> HeaderReader::refill() {
  buffer_start_ += used_;
  used_ = 0;
  buffer_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kBufferBytes, end_ - buffer_start_)));
  return source_.read_at(buffer_start_, buffer_);
}

Result<> HeaderReader::read_bytes(std::span<std::byte> out, std::string_view what) {
  if (out.size() > remaining()) return ends_early(what, out.size());
  while (!out.empty()) {
    if (used_ == buffer_.size()) CARAT_TRY_VOID(refill());
    const std::size_t count = std::min(out.size(), buffer_.size() - used_);
    std::memcpy(out.data(), buffer_.data() + used_, count);
    used_ += count;
    out = out.subspan(count);
  }
  return {};
}

Result<std::size_t> HeaderReader::string_length(std::size_t max_bytes, std::string_view what) {
  CARAT_TRY(const auto length, read<std::uint64_t>(what));
  if (length > max_bytes) {
    return fail(ErrorKind::kInvalidModel, "{}: {} at byte {} is {} bytes long; at most {} are allowed",
                source_.name(), what, position(), length, max_bytes);
  }
  if (length > remaining()) return ends_early(what, length);
  return static_cast<std::size_t>(length);
}

Result<std::size_t> HeaderReader::append_string(std::vector<char>& out, std::size_t max_bytes,
                                                std::string_view what) {
  CARAT_TRY(const std::size_t length, string_length(max_bytes, what));
  const std::size_t start = out.size();
  out.resize(start + length);
  CARAT_TRY_VOID(read_bytes(std::as_writable_bytes(std::span(out).subspan(start)), what));
  return length;
}

Result<std::string> HeaderReader::read_string(std::size_t max_bytes, std::string_view what) {
  CARAT_TRY(const std::size_t length, string_length(max_bytes, what));
  std::string text(length, '\0');
  CARAT_TRY_VOID(read_bytes(std::as_writable_bytes(std::span(text)), what));
  return text;
}

}  // namespace carat::formats
