#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace carat::worker {

// The protocol between the program and a worker: one request, then one reply, each a header and so many
// bytes. Both ends are the same build on the same machine, so numbers stand as in memory; the receiver still
// believes nothing, since the other end may have been taken over by the file that it read.
enum class MessageKind : std::uint32_t { kRequest, kDone, kFailed };

struct MessageHeader {
  MessageKind kind = MessageKind::kRequest;
  std::uint64_t length = 0;  // bytes that follow
};

inline constexpr std::size_t kHeaderBytes = 16;
using HeaderBytes = std::array<std::byte, kHeaderBytes>;

HeaderBytes encode_header(const MessageHeader& header);

// kFailed for another version of the protocol, an unknown kind, or more than `limit` bytes to come.
Result<MessageHeader> decode_header(const HeaderBytes& bytes, std::uint64_t limit);

// Builds the bytes of a request or reply.
class MessageWriter {
 public:
  void u32(std::uint32_t value);
  void u64(std::uint64_t value);
  void bytes(std::span<const std::byte> value);  // without their count
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

// Takes them apart again; nullopt once they are used up.
class MessageReader {
 public:
  explicit MessageReader(std::span<const std::byte> bytes) : rest_(bytes) {}
  std::optional<std::uint32_t> u32();
  std::optional<std::uint64_t> u64();
  std::optional<std::span<const std::byte>> take(std::size_t count);
  std::span<const std::byte> rest() const { return rest_; }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace carat::worker
