#include "base/uuid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "base/counter_rng.h"
#include "base/test_wall_clock.h"

namespace carat {
namespace {

using std::chrono::milliseconds;

RandomBytes numbered_bytes() {
  return [index = std::uint64_t{0}](std::span<std::byte> out) mutable {
    for (std::byte& byte : out) byte = static_cast<std::byte>(256 * uniform_draw(7, index++));
  };
}

RandomBytes constant_bytes(std::byte value) {
  return [value](std::span<std::byte> out) { std::ranges::fill(out, value); };
}

// The example of RFC 9562, appendix A.6: 2022-02-22 19:22:22 UTC, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
// Its counter has the upper half of the range, where ours never starts.
TEST(UuidTest, WritesTheExampleOfTheStandardButForTheCountersTopBit) {
  const std::array<std::uint8_t, 16> bytes = {0x01, 0x7F, 0x22, 0xE2, 0x79, 0xB0, 0x0C, 0xC3,
                                              0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F};
  TestWallClock clock;
  clock.time = WallTime(milliseconds(0x017F22E279B0));
  UuidSource source(clock, [&](std::span<std::byte> out) {
    std::ranges::copy(std::as_bytes(std::span(bytes)), out.begin());
  });
  EXPECT_EQ(to_string(source.next()), "017f22e2-79b0-74c3-98c4-dc0c0c07398f");
}

TEST(UuidTest, GrowsWithTheClockStandingStillAndGoingBack) {
  TestWallClock clock;
  UuidSource source(clock, numbered_bytes());
  Uuid last = source.next();
  for (int i = 0; i < 20'000; ++i) {  // several times what the counter holds
    if (i % 1000 == 999) clock.time -= milliseconds(5);
    const Uuid id = source.next();
    ASSERT_GT(id, last) << i;
    ASSERT_EQ(id.bytes[6] >> 4, 7);
    ASSERT_EQ(id.bytes[8] >> 6, 2);
    last = id;
  }
  clock.time += std::chrono::hours(1);
  EXPECT_GT(source.next(), last);
}

TEST(UuidTest, DiffersByTheCounterAloneWhenRandomnessRepeats) {
  TestWallClock clock;
  UuidSource source(clock, constant_bytes(std::byte{0xFF}));
  std::set<Uuid> seen;
  for (int i = 0; i < 10'000; ++i) seen.insert(source.next());
  EXPECT_EQ(seen.size(), 10'000U);
}

TEST(UuidTest, TakesClocksOutsideTheRange) {
  TestWallClock clock;
  clock.time = WallTime(std::chrono::seconds(-1));
  UuidSource early(clock, constant_bytes(std::byte{0}));
  EXPECT_EQ(to_string(early.next()), "00000000-0000-7001-8000-000000000000");
  clock.time = WallTime::max();
  UuidSource late(clock, constant_bytes(std::byte{0}));
  EXPECT_EQ(late.next().bytes[6] >> 4, 7);
}

TEST(UuidTest, ReadsBothFormsBack) {
  TestWallClock clock;
  UuidSource source(clock, numbered_bytes());
  for (int i = 0; i < 100; ++i) {
    const Uuid id = source.next();
    EXPECT_EQ(parse_uuid(to_string(id)), id);
    EXPECT_EQ(parse_uuid(to_compact_string(id)), id);
  }
  EXPECT_EQ(parse_uuid("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"),
            parse_uuid("017f22e279b07cc398c4dc0c0c07398f"));
}

TEST(UuidTest, RefusesEverythingElse) {
  const std::string good = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
  EXPECT_FALSE(parse_uuid(""));
  EXPECT_FALSE(parse_uuid(good.substr(1)));
  EXPECT_FALSE(parse_uuid(good + "0"));
  EXPECT_FALSE(parse_uuid("{" + good + "}"));
  for (std::size_t place = 0; place < good.size(); ++place) {
    std::string bad = good;
    bad[place] = bad[place] == '-' ? '0' : 'g';
    EXPECT_FALSE(parse_uuid(bad)) << bad;
    bad[place] = '\0';
    EXPECT_FALSE(parse_uuid(bad)) << place;
  }
}

TEST(UuidTest, SystemRandomnessFillsEverySize) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{32}, std::size_t{1000}}) {
    std::vector<std::byte> a(size);
    std::vector<std::byte> b(size);
    system_random_bytes(a);
    system_random_bytes(b);
    if (size >= 32) {
      EXPECT_NE(a, b);
    }
  }
}

}  // namespace
}  // namespace carat
