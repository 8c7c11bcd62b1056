#include "worker/message.h"

#include <cstring>

namespace carat::worker {
namespace {

constexpr std::uint32_t kVersion = 0x43570001;  // "CW", version 1

template <class T>
std::optional<T> take_number(std::span<const std::byte>& bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value{};
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes = bytes.subspan(sizeof value);
  return value;
}

}  // namespace

HeaderBytes encode_header(const MessageHeader& header) {
  const auto kind = static_cast<std::uint32_t>(header.kind);
  HeaderBytes bytes{};
  std::memcpy(bytes.data(), &kVersion, 4);
  std::memcpy(bytes.data() + 4, &kind, 4);
  std::memcpy(bytes.data() + 8, &header.length, 8);
  return bytes;
}

Result<MessageHeader> decode_header(const HeaderBytes& bytes, std::uint64_t limit) {
  MessageReader reader(bytes);
  if (reader.u32() != kVersion) {
    return fail(ErrorKind::kFailed, "the other side speaks another version of the worker protocol");
  }
  const std::uint32_t kind = reader.u32().value_or(~0U);
  if (kind > static_cast<std::uint32_t>(MessageKind::kFailed)) {
    return fail(ErrorKind::kFailed, "a worker message of unknown kind {}", kind);
  }
  const std::uint64_t length = reader.u64().value_or(~std::uint64_t{0});
  if (length > limit) {
    return fail(ErrorKind::kFailed, "a worker message of {} bytes, where at most {} are allowed", length,
                limit);
  }
  return MessageHeader{static_cast<MessageKind>(kind), length};
}

void MessageWriter::u32(std::uint32_t value) { bytes(std::as_bytes(std::span(&value, 1))); }
void MessageWriter::u64(std::uint64_t value) { bytes(std::as_bytes(std::span(&value, 1))); }
void MessageWriter::bytes(std::span<const std::byte> value) {
  bytes_.insert(bytes_.end(), value.begin(), value.end());
}

std::optional<std::uint32_t> MessageReader::u32() { return take_number<std::uint32_t>(rest_); }
std::optional<std::uint64_t> MessageReader::u64() { return take_number<std::uint64_t>(rest_); }

std::optional<std::span<const std::byte>> MessageReader::take(std::size_t count) {
  if (rest_.size() < count) return std::nullopt;
  const auto taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

}  // namespace carat::worker
