#include "server/json_fields.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace carat::server {
namespace {

boost::json::object parse(const char* text) { return boost::json::parse(text).as_object(); }

TEST(FieldReaderTest, NullAndAbsentAreTheSame) {
  const auto object = parse(R"({"a": null})");
  FieldReader read(object);
  for (const char* name : {"a", "b"}) {
    EXPECT_EQ(read.text(name), std::nullopt);
    EXPECT_EQ(read.flag(name), std::nullopt);
    EXPECT_EQ(read.number(name), std::nullopt);
    EXPECT_EQ(read.integer(name, 0, 1), std::nullopt);
    EXPECT_EQ(read.object(name), nullptr);
    EXPECT_EQ(read.array(name), nullptr);
  }
  EXPECT_FALSE(read.error());
}

TEST(FieldReaderTest, ReadsEachType) {
  const auto object = parse(R"({"t": "x", "f": true, "n": 2.5, "i": -3, "w": 16.0, "o": {}, "a": []})");
  FieldReader read(object);
  EXPECT_EQ(read.text("t"), "x");
  EXPECT_EQ(read.flag("f"), true);
  EXPECT_EQ(read.number("n"), 2.5);
  EXPECT_EQ(read.number("i"), -3.0);
  EXPECT_EQ(read.integer("i", -3, 0), -3);
  EXPECT_EQ(read.integer("w", 0, 16), 16);
  EXPECT_NE(read.object("o"), nullptr);
  EXPECT_NE(read.array("a"), nullptr);
  EXPECT_FALSE(read.error());
}

// The error that one getter leaves.
template <class Get>
ApiError error_of(const char* value, Get get) {
  const auto object = parse((std::string("{\"x\": ") + value + "}").c_str());
  FieldReader read(object, "outer");
  get(read);
  EXPECT_TRUE(read.error()) << value;
  return read.error().value_or(ApiError());
}

TEST(FieldReaderTest, WrongTypesNameTheField) {
  for (const char* value : {"1", "true", "[]", "{}"}) {
    const ApiError error = error_of(value, [](FieldReader& read) { read.text("x"); });
    EXPECT_EQ(error.code, ApiErrorCode::kInvalidType);
    EXPECT_EQ(error.param, "outer.x");
    EXPECT_EQ(error.message, "outer.x must be a string");
  }
  for (const char* value : {"1", "\"true\"", "[]"}) {
    EXPECT_EQ(error_of(value, [](FieldReader& read) { read.flag("x"); }).code, ApiErrorCode::kInvalidType);
  }
  for (const char* value : {"\"1\"", "true", "[]"}) {
    EXPECT_EQ(error_of(value, [](FieldReader& read) { read.number("x"); }).code, ApiErrorCode::kInvalidType);
  }
}

TEST(FieldReaderTest, IntegersAreCheckedAgainstTheirRange) {
  const auto get = [](FieldReader& read) { read.integer("x", -1, 100); };
  for (const char* value : {"-2", "101", "9223372036854775807", "-1e18"}) {
    EXPECT_EQ(error_of(value, get).code, ApiErrorCode::kInvalidValue) << value;
  }
  // Neither a fraction nor what no int64 holds is an integer.
  for (const char* value : {"1.5", "18446744073709551615", "1e300", "9.3e18", "\"1\""}) {
    EXPECT_EQ(error_of(value, get).code, ApiErrorCode::kInvalidType) << value;
  }
}

TEST(FieldReaderTest, TheFirstErrorStands) {
  const auto object = parse(R"({"a": 1, "b": {"c": 1}})");
  FieldReader read(object);
  FieldReader inner(read, *read.object("b"), read.path("b"));
  inner.text("c");
  read.text("a");
  ASSERT_TRUE(read.error());
  EXPECT_EQ(read.error()->param, "b.c");
}

}  // namespace
}  // namespace carat::server
