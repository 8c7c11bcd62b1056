#include "grammar/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "grammar/length_rules.h"

namespace carat::grammar {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& json, bool strict = false) {
  const auto schema = read_schema(json, strict);
  return schema ? "let through" : schema.error().message;
}

// XGrammar takes all of these and enforces none, or not always.
TEST(SchemaTest, KeywordsThatWouldNotBeEnforcedAreRefusedWithTheirPlace) {
  for (const char* keyword : {R"("dependentRequired":{"a":["b"]})",
                              R"("dependentSchemas":{})",
                              R"("uniqueItems":true)",
                              R"("not":{})",
                              R"("multipleOf":2)",
                              R"("if":{})",
                              R"("then":{})",
                              R"("else":{})",
                              R"("contains":{})",
                              R"("minContains":1)",
                              R"("maxContains":1)",
                              R"("unevaluatedProperties":false)",
                              R"("unevaluatedItems":false)",
                              R"("propertyNames":{})",
                              R"("dependencies":{})",
                              R"("additionalItems":false)",
                              R"("$anchor":"a")",
                              R"("$dynamicRef":"#a")",
                              R"("contentEncoding":"base64")",
                              R"("nullable":true)",
                              R"("minLenght":1)"}) {
    const std::string name = std::string(keyword + 1, std::string(keyword).find('"', 1) - 1);
    const std::string json =
        fmt::format(R"({{"properties":{{"x/y":{{"type":"array","items":{{{}}}}}}}}})", keyword);
    EXPECT_THAT(refusal(json), HasSubstr(fmt::format("#/properties/x~1y/items/{}: ", name))) << json;
  }
}

TEST(SchemaTest, CombinationsThatCannotHoldTogetherAreRefused) {
  for (const auto& [json, part] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"$ref":"#/$defs/a","type":"string","$defs":{"a":{}}})",
            "#/type: this keyword is not supported beside $ref"},
           {R"({"enum":["a"],"minLength":2})", "#/minLength: this keyword is not supported beside enum"},
           {R"({"anyOf":[{"type":"string"}],"type":"string"})", "#/type"},
           {R"({"allOf":[{},{}]})", "#/allOf"},
           {R"({"oneOf":[{"type":"string"},{"type":"string","pattern":"a"}]})", "0 and 1 might both match"},
           {R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "might both match"},
           {R"({"type":"string","pattern":"a","maxLength":2})", "length limits beside pattern"},
           {R"({"type":"string","format":"color"})", "#/format: the format \"color\""},
           {R"({"type":"object","patternProperties":{"a":{},"b":{}},"additionalProperties":false})",
            "one pattern"},
           {R"({"type":"object","patternProperties":{"a":{}}})", "one pattern"},
           {R"({"type":"object","minProperties":1})", "#/minProperties"},
           {R"({"type":"object","maxProperties":1})", "#/maxProperties"},
           {R"({"properties":{"a":false}})", "#/properties/a"},
           {R"({"required":["a"],"additionalProperties":false})", "#/required"},
           {R"({"type":"integer","minimum":2,"maximum":1})", "no number"},
           {R"({"type":"number","exclusiveMinimum":1,"maximum":1})", "no number"},
           {R"({"type":"string","minLength":2,"maxLength":1})", "no string"},
           {R"({"type":"array","minItems":2,"maxItems":1})", "no array"},
           {R"({"type":"array","maxItems":101})", "over the limit of 100"},
           {R"({"type":"strin"})", "not a type"},
           {R"({"enum":[]})", "no value"},
           {R"({"type":"string","enum":[1]})", "no value"},
           {R"({"type":"integer","minimum":1e300})", "2^53"},
           {"false", "false allows no value"},
           {"[]", "a schema is an object"},
           {"{", "not valid JSON"}}) {
    EXPECT_THAT(refusal(json), HasSubstr(part)) << json;
  }
}

TEST(SchemaTest, StrictSchemasAreClosed) {
  EXPECT_THAT(refusal(R"({"type":"object","properties":{},"additionalProperties":true})", true),
              HasSubstr("#/additionalProperties: strict"));
  const auto closed = read_schema(R"({"type":"object","properties":{"a":{}}})", true);
  ASSERT_TRUE(closed);
  EXPECT_FALSE(closed->nodes.back().additional.has_value());
  const auto open = read_schema(R"({"type":"object","properties":{"a":{}}})", false);
  ASSERT_TRUE(open);
  EXPECT_TRUE(open->nodes.back().additional.has_value());
}

TEST(SchemaTest, ReferencesMustLeadSomewhereAndEnd) {
  EXPECT_THAT(refusal(R"({"$ref":"https://example.org/a"})"), HasSubstr("only references into this schema"));
  EXPECT_THAT(refusal(R"({"$ref":"#/$defs/none"})"), HasSubstr("no such place"));
  EXPECT_THAT(refusal(R"({"$ref":"#"})"), HasSubstr("no finite value"));
  EXPECT_THAT(refusal(R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}})"),
              HasSubstr("no finite value"));
  EXPECT_THAT(refusal(R"({"type":"object","properties":{"next":{"$ref":"#"}},"required":["next"]})"),
              HasSubstr("no finite value"));
  EXPECT_EQ(refusal(R"({"type":"object","properties":{"next":{"$ref":"#"}}})"), "let through");
}

TEST(SchemaTest, BombsAreRefused) {
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += R"({"items":)";
  EXPECT_THAT(refusal(deep.append("{}").append(40, '}')), HasSubstr("nested more than 32 deep"));
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("the schema has 100000 bytes"));
  EXPECT_THAT(refusal(std::string(60'000, '[')), HasSubstr("not valid JSON"));
  std::string wide = R"({"enum":[0)";
  for (int i = 1; i < 1001; ++i) wide.append(",").append(std::to_string(i));
  EXPECT_THAT(refusal(wide + "]}"), HasSubstr("over 1000 values"));
  // Each definition refers twice to the next: 2^30 parts, were references copied.
  std::string doubling = R"({"$ref":"#/$defs/a0","$defs":{)";
  for (int i = 0; i < 30; ++i) {
    doubling +=
        fmt::format(R"("a{0}":{{"anyOf":[{{"$ref":"#/$defs/a{1}"}},{{"$ref":"#/$defs/a{1}"}}]}},)", i, i + 1);
  }
  EXPECT_THAT(refusal(doubling + R"("a30":{"type":"null"}}})"), HasSubstr("nested more than 32 deep"));
  std::string many = R"({"anyOf":[{})";
  for (int i = 0; i < 2000; ++i) many += ",{}";
  EXPECT_THAT(refusal(many.append("]}")), HasSubstr("over 2000 parts"));
}

std::string length_refusal(const std::string& json) {
  const auto schema = read_schema(json, false);
  if (!schema) return schema.error().message;
  const auto rules = length_rules({&*schema});
  return rules ? (rules->empty() ? "free" : "counted") : rules.error().message;
}

TEST(LengthRulesTest, OnlySchemasWithLimitsAreCounted) {
  EXPECT_EQ(length_refusal(R"({"type":"object","properties":{"a":{"type":"string"}}})"), "free");
  EXPECT_EQ(length_refusal(R"({"type":"object","properties":{"a":{"type":"string","maxLength":3}}})"),
            "counted");
  EXPECT_EQ(length_refusal(
                R"({"type":"array","items":{"anyOf":[{"type":"null"},{"type":"string","minLength":3}]}})"),
            "counted");
  EXPECT_EQ(
      length_refusal(
          R"({"$defs":{"n":{"properties":{"s":{"type":"string","maxLength":1},"n":{"$ref":"#/$defs/n"}}}},)"
          R"("$ref":"#/$defs/n"})"),
      "counted");
}

TEST(LengthRulesTest, LimitsThatAnotherAlternativeCouldNotKeepAreRefused) {
  for (const char* json :
       {R"({"anyOf":[{"type":"string","minLength":3},{"const":"a"}]})",
        R"({"anyOf":[{"type":"string","minLength":3},{"type":"string","maxLength":2}]})",
        R"({"anyOf":[{"type":"string","maxLength":3},{"type":"string","pattern":"aaaa"}]})"}) {
    EXPECT_THAT(length_refusal(json), HasSubstr("alternatives for one string")) << json;
  }
}

}  // namespace
}  // namespace carat::grammar
