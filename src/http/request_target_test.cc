#include "http/request_target.h"

#include <gtest/gtest.h>

namespace carat::http {
namespace {

TEST(RequestTargetTest, DecodesPathAndQuery) {
  const auto target = decode_target("/v1/models/a%20b+c%C3%A9?x=1&y=a+b%26&flag&&x=2&=3");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/v1/models/a b+c\u00e9");
  const NamedValues expected = {{"x", "1"}, {"y", "a b&"}, {"flag", ""}, {"x", "2"}, {"", "3"}};
  EXPECT_EQ(target->queries, expected);
  EXPECT_EQ(decode_target("/")->path, "/");
  EXPECT_EQ(decode_target("/a/")->path, "/a/");
  EXPECT_EQ(decode_target("//a")->path, "//a");
  EXPECT_EQ(decode_target("/...")->path, "/...");
  EXPECT_EQ(decode_target("*")->path, "*");
  EXPECT_EQ(decode_target("/?")->path, "/");
}

TEST(RequestTargetTest, RefusesWhatCouldBeReadInTwoWays) {
  for (const char* text :
       {"",      "a",       "http://h/",  "/..",   "/a/../b",  "/a/..", "/.",   "/a/./b", "/%2e%2E/b",
        "/.%2e", "/a%2fb",  "/a%2Fb",     "/a%00", "/a%0d%0a", "/a%7f", "/%",   "/%1",    "/%zz",
        "/%ff",  "/%c0%af", "/%ed%a0%80", "/a#b",  "/?a=%00",  "/?a=%", "/?%ff"}) {
    const auto target = decode_target(text);
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().status, 400U);
  }
}

}  // namespace
}  // namespace carat::http
