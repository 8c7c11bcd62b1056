#include "http/json_body.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>

namespace carat::http {
namespace {

std::string message(std::string_view text, const JsonLimits& limits = {}) {
  const auto value = parse_json_body(text, limits);
  if (value) return "";
  EXPECT_EQ(value.error().kind, ErrorKind::kUsage);
  return value.error().message;
}

TEST(JsonBodyTest, ReadsWhatBoostsParserReads) {
  for (const char* text :
       {"null", " true ", "-1", "18446744073709551615", "1.5e3", R"("a\u00e9\ud83d\ude00\n")", "[]", "{}",
        R"({"a":[1,{"b":null,"":false}],"c":"d\"e","long key with \\ escapes":[[["x"]]]})"}) {
    const auto value = parse_json_body(text);
    ASSERT_TRUE(value) << text << ": " << value.error().message;
    EXPECT_EQ(*value, boost::json::parse(text)) << text;
  }
}

TEST(JsonBodyTest, SaysWhereItIsWrong) {
  EXPECT_EQ(message(R"({"messages":[{"role":"a"},{"role":"b","role":"c"}]})"),
            "messages[1].role: this key is there twice");
  EXPECT_EQ(message(R"({"a":1,"\u0061":2})"), "a: this key is there twice");
  EXPECT_EQ(message(R"({"a":{"b":[0,1e999]}})"), "a.b[1]: the number is too large");
  EXPECT_EQ(message(R"({"a":[1,2)"), "a[2]: the text ends too early");
  EXPECT_EQ(message(""), "the text ends too early");
  EXPECT_EQ(message("[1]x").substr(0, 24), "no valid JSON at byte 3:");
}

TEST(JsonBodyTest, RefusesWhatIsNoJson) {
  for (const char* text : {"nul",
                           "{'a':1}",
                           "{a:1}",
                           "[1,]",
                           "{\"a\":1,}",
                           "[1 2]",
                           "01",
                           "+1",
                           ".5",
                           "1.",
                           "NaN",
                           "Infinity",
                           "// c\n1",
                           "\"\t\"",
                           "\"\xff\"",
                           "\"\xc0\x80\"",
                           "\"\xed\xa0\x80\"",
                           R"("\ud800")",
                           R"("\udc00")",
                           R"("\x")",
                           "\xef\xbb\xbf{}",
                           "1 2",
                           "{} {}",
                           "[",
                           "{\"a\"",
                           "\"a"}) {
    EXPECT_NE(message(text), "") << text;
  }
}

TEST(JsonBodyTest, LimitsHoldToTheOne) {
  const JsonLimits limits{.most_depth = 3, .most_values = 5, .most_members = 2};
  EXPECT_EQ(message("[[[]]]", limits), "");
  EXPECT_EQ(message("[[[[]]]]", limits), "[0][0][0]: arrays and objects are nested too deeply");
  EXPECT_EQ(message("[1,2,3,4]", limits), "");
  EXPECT_EQ(message("[1,2,3,4,5]", limits), "[4]: there are too many values");
  EXPECT_EQ(message(R"({"a":1,"b":2})", limits), "");
  EXPECT_EQ(message(R"({"a":1,"b":2,"c":3})", limits), "c: the object has too many members");
  EXPECT_NE(message(std::string(100'000, '['), {}), "");
}

TEST(JsonBodyTest, LongKeysAreCutInMessages) {
  const std::string key(1000, 'k');
  EXPECT_EQ(message("{\"" + key + "\":x}").find(key.substr(0, 65)), std::string::npos);
}

}  // namespace
}  // namespace carat::http
