// Any bytes as a message between the program and a worker that decodes pictures, read at either end: what is
// accepted is within its limits and comes out again as it went in.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "images/decode_job.h"
#include "worker/message.h"

using namespace carat;

namespace {

constexpr std::uint64_t kMaxPayload = 1 << 20;
constexpr images::PixelLimits kLimits = {.side = 300, .pixels = 20'000};

void read_request(std::span<const std::byte> payload) {
  const auto request = images::decode_request(payload);
  if (!request) return;
  CARAT_CHECK(std::ranges::equal(images::encode_request(*request), payload));
}

void read_reply(std::span<const std::byte> payload) {
  const auto image = images::decode_reply(payload, kLimits);
  if (!image) return;
  CARAT_CHECK(image->width <= kLimits.side && image->height <= kLimits.side);
  CARAT_CHECK(image->width * image->height <= kLimits.pixels);
  CARAT_CHECK(std::ranges::equal(images::encode_reply(*image), payload));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (bytes.size() < worker::kHeaderBytes) return 0;
  worker::HeaderBytes header_bytes{};
  std::ranges::copy(bytes.first(worker::kHeaderBytes), header_bytes.begin());
  const auto header = worker::decode_header(header_bytes, kMaxPayload);
  if (!header) return 0;
  CARAT_CHECK(header->length <= kMaxPayload);
  const auto payload = bytes.subspan(worker::kHeaderBytes);
  read_request(payload);
  read_reply(payload);
  return 0;
}
