#include "base/constant_time.h"

#include <gtest/gtest.h>

#include <string_view>

namespace carat {
namespace {

bool equal(std::string_view a, std::string_view b) {
  return equal_in_constant_time(std::as_bytes(std::span(a)), std::as_bytes(std::span(b)));
}

TEST(ConstantTimeTest, SeesADifferenceAtEveryPlace) {
  const std::string secret = "0123456789abcdefghijklmnopqrstuvwxyz";
  EXPECT_TRUE(equal(secret, std::string(secret)));
  for (std::size_t place = 0; place < secret.size(); ++place) {
    std::string other = secret;
    other[place] = '#';
    EXPECT_FALSE(equal(secret, other)) << place;
    EXPECT_FALSE(equal(secret, secret.substr(0, place))) << place;
  }
}

TEST(ConstantTimeTest, NothingEqualsNothing) {
  EXPECT_TRUE(equal({}, {}));
  EXPECT_FALSE(equal({}, "a"));
}

}  // namespace
}  // namespace carat
