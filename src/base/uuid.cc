#include "base/uuid.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace carat {
namespace {

constexpr std::uint64_t kMostMilliseconds = (std::uint64_t{1} << 48) - 1;
constexpr std::uint32_t kCounterLimit = 1U << 12;
constexpr std::uint32_t kCounterStart = 1U << 11;  // starts below: at least 2,048 ids before it runs over

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

constexpr bool has_hyphen_before(std::size_t byte) {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

std::uint64_t milliseconds_of(WallTime time) {
  const auto count = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
  return std::clamp<std::int64_t>(count, 0, static_cast<std::int64_t>(kMostMilliseconds));
}

}  // namespace

std::string to_compact_string(const Uuid& id) {
  std::string text;
  for (const std::uint8_t byte : id.bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::string to_string(const Uuid& id) {
  std::string text;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    text += fmt::format("{}{:02x}", has_hyphen_before(i) ? "-" : "", id.bytes[i]);
  }
  return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  const bool hyphens = text.size() == 36;
  if (!hyphens && text.size() != 32) return std::nullopt;
  Uuid id;
  std::size_t place = 0;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (hyphens && has_hyphen_before(i) && text[place++] != '-') return std::nullopt;
    const auto high = hex_digit(text[place]);
    const auto low = hex_digit(text[place + 1]);
    if (!high || !low) return std::nullopt;
    id.bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
    place += 2;
  }
  return id;
}

UuidSource::UuidSource(const WallClock& clock, RandomBytes random)
    : clock_(clock), random_(std::move(random)) {}

Uuid UuidSource::next() {
  Uuid id;
  random_(std::as_writable_bytes(std::span(id.bytes)));
  const std::uint64_t now = milliseconds_of(clock_.now());
  const std::uint32_t start = (std::uint32_t{id.bytes[6]} << 8 | id.bytes[7]) % kCounterStart;
  if (now > milliseconds_) {
    milliseconds_ = now;
    counter_ = start;
  } else if (++counter_ == kCounterLimit) {
    ++milliseconds_;  // ahead of the clock, which will follow
    counter_ = start;
  }
  for (std::size_t i = 0; i < 6; ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(milliseconds_ >> (40 - 8 * i));
  }
  id.bytes[6] = static_cast<std::uint8_t>(0x70 | counter_ >> 8);
  id.bytes[7] = static_cast<std::uint8_t>(counter_);
  id.bytes[8] = static_cast<std::uint8_t>(0x80 | (id.bytes[8] & 0x3F));
  return id;
}

}  // namespace carat
