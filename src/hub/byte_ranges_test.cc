#include "hub/byte_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace carat::hub {
namespace {

using Ranges = std::vector<ByteRange>;

TEST(ByteRangesTest, JoinsWhatTouches) {
  ByteRanges set;
  set.add({10, 20});
  set.add({30, 40});
  set.add({5, 5});
  EXPECT_EQ(set.ranges(), (Ranges{{10, 20}, {30, 40}}));
  set.add({20, 30});
  EXPECT_EQ(set.ranges(), (Ranges{{10, 40}}));
  set.add({0, 100});
  EXPECT_EQ(set.ranges(), (Ranges{{0, 100}}));
}

TEST(ByteRangesTest, ListsWhatIsMissingInParts) {
  ByteRanges set;
  EXPECT_EQ(set.missing(7, 3), (Ranges{{0, 3}, {3, 6}, {6, 7}}));
  set.add({2, 4});
  EXPECT_EQ(set.missing(7, 3), (Ranges{{0, 2}, {4, 7}}));
  set.add({0, 7});
  EXPECT_TRUE(set.missing(7, 3).empty());
  EXPECT_TRUE(ByteRanges().missing(0, 3).empty());
}

// Against one flag for each byte.
TEST(ByteRangesTest, IsASetOfBytes) {
  constexpr std::size_t kTotal = 53;
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    ByteRanges set;
    std::vector<bool> flags(kTotal, false);
    for (int i = 0; i < 8; ++i) {
      const std::uint64_t begin = random() % kTotal;
      const std::uint64_t end = begin + random() % (kTotal - begin + 1);
      set.add({begin, end});
      std::fill(flags.begin() + static_cast<long>(begin), flags.begin() + static_cast<long>(end), true);
      std::vector<bool> found(kTotal, true);
      for (const ByteRange& gap : set.missing(kTotal, 1 + random() % 20)) {
        for (std::uint64_t at = gap.begin; at < gap.end; ++at) found[at] = false;
      }
      ASSERT_EQ(found, flags);
      ASSERT_EQ(set.size(), static_cast<std::uint64_t>(std::count(flags.begin(), flags.end(), true)));
    }
  }
}

}  // namespace
}  // namespace carat::hub
