#include "base/utc_text.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace carat {
namespace {

std::string text_of(std::int64_t seconds) {
  return utc_text(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
}

// As `date -u -d @SECONDS +%FT%TZ` says.
TEST(UtcTextTest, SaysTheSecond) {
  EXPECT_EQ(text_of(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(text_of(-1), "1969-12-31T23:59:59Z");
  EXPECT_EQ(text_of(951'827'696), "2000-02-29T12:34:56Z");
  EXPECT_EQ(text_of(1'700'000'000), "2023-11-14T22:13:20Z");
}

}  // namespace
}  // namespace carat
