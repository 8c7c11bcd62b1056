#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random_bytes.h"
#include "base/wall_clock.h"

namespace carat {

// A universally unique identifier of RFC 9562, its bytes in network order, so that bytes sort as the text
// does.
struct Uuid {
  std::array<std::uint8_t, 16> bytes = {};
  auto operator<=>(const Uuid&) const = default;
};

// 01890a5d-ac96-774b-bcce-b302099a8057
std::string to_string(const Uuid& id);
// The same 32 digits without hyphens, for ids such as resp_01890a5dac96774bbcceb302099a8057.
std::string to_compact_string(const Uuid& id);

// Either form, digits of either case; nullopt for everything else.
std::optional<Uuid> parse_uuid(std::string_view text);

// Makes UUIDv7: 48 bits of milliseconds, then a 12-bit counter that starts at random in each millisecond,
// then 62 random bits. Each is greater than the one before, also when the clock stands still or goes back.
// Ids are no secrets. One thread at a time.
class UuidSource {
 public:
  // `clock` must outlive it.
  UuidSource(const WallClock& clock, RandomBytes random);

  Uuid next();

 private:
  const WallClock& clock_;
  RandomBytes random_;
  std::uint64_t milliseconds_ = 0;  // of the last id
  std::uint32_t counter_ = 0;       // of the last id
};

}  // namespace carat
