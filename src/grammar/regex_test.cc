#include "grammar/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>

#include <boost/json/serialize.hpp>

#include "grammar/test_answers.h"

namespace carat::grammar {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& pattern) {
  const auto ebnf = regex_to_ebnf(pattern, TextForm::kPlain, Match::kWhole);
  return ebnf ? "let through" : ebnf.error().message;
}

TEST(RegexTest, WhatIsNotUnderstoodIsRefused) {
  for (const char* pattern :
       {"(",    ")",   "a)",   "[",     "[a",    "[b-a]",  "a**",     "a{2,1}",  "a{",
        "a{1",  "*",   "+a",   "(?=a)", "(?!a)", "(?<=a)", "(a)\\1",  "\\b",     "\\p{L}",
        "a$b",  "a^b", "(^a)", "(a$)",  "\\",    "\\xg0",  "\\ud800", "[\\d-z]", "[^\\u0000-\\uFFFF]{200}",
        "(?<n", "]",   "}",    "\xff",  "[]"}) {
    EXPECT_NE(refusal(pattern), "let through") << pattern;
  }
}

TEST(RegexTest, BombsAreRefused) {
  EXPECT_THAT(refusal("((((a{100}){100}){100}){100})"), HasSubstr("over 2000 states"));
  EXPECT_THAT(refusal(std::string(40, '(') + "a" + std::string(40, ')')), HasSubstr("nested more than 32"));
  EXPECT_THAT(refusal(std::string(1001, 'a')), HasSubstr("1001 bytes"));
  EXPECT_THAT(refusal("a{129}"), HasSubstr("a count over 128"));
  EXPECT_THAT(refusal("a{99999999999999999999}"), HasSubstr("a count over 128"));
}

class RegexAnswerTest : public AnswerTest {};

// std::regex decides what matches.
TEST_P(RegexAnswerTest, ExactlyTheTextsThatMatchPass) {
  const std::string texts[] = {"",    "a",   "b",    "ab",  "abc",   "aaa",  "aaaa", "A1",
                               "12",  "a-b", "a]b",  "x.y", "\"a\"", "a\\b", "foo",  "food",
                               "oof", "a b", "a\nb", "{1}", "(a)",   "^$",   "a/b",  "0x1F"};
  for (const char* pattern :
       {"a",          "a*",     "a+b?c?",       "(ab|c)*",     "[a-c]+",   "[^a-z]*", "\\w+",
        "\\d{2}",     "a{2,3}", "a{2,}",        "(a|b){1,2}",  "^foo$",    "foo|bar", "x\\.y",
        "[\\]a-]+b?", "\".*\"", "a\\\\b",       "(?:a)(?:b|)", "a.b",      "\\{1\\}", "\\(a\\)",
        "\\^\\$",     "a\\sb",  "0x[0-9A-F]+?", "(a*)*",       "((a?)+)+", "a\\/b",   "[\\w.]+"}) {
    const auto constraint = compile(prompt::Regex{pattern});
    ASSERT_TRUE(constraint) << pattern << ": " << constraint.error().message;
    const std::regex reference(pattern);
    for (const std::string& text : texts) {
      EXPECT_EQ(accepts(*constraint, text), std::regex_match(text, reference)) << pattern << " and " << text;
    }
  }
}

TEST_P(RegexAnswerTest, PatternsInJsonAreSearchedInTheStringsText) {
  for (const auto& [pattern, text, matches] :
       std::initializer_list<std::tuple<const char*, const char*, bool>>{
           {"b", R"("abc")", true},
           {"^b", R"("abc")", false},
           {"^b|c$", R"("abc")", true},
           {"^\"$", R"("\"")", true},
           {"^\\\\$", R"("\\")", true},
           {"^a.b$", R"("a\"b")", true},
           {"^a.b$", R"("a\nb")", false},
           {"^[^x]$", R"("\n")", true},
           {"^\u00e9+$", "\"\u00e9\u00e9\"", true},
           {"^\\S+$", R"("a b")", false}}) {
    const auto quoted = boost::json::serialize(boost::json::value(pattern));
    const auto constraint = compile(prompt::JsonSchema{R"({"type":"string","pattern":)" + quoted + "}"});
    ASSERT_TRUE(constraint) << pattern << ": " << constraint.error().message;
    EXPECT_EQ(accepts(*constraint, text), matches) << pattern << " and " << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, RegexAnswerTest, testing::Values(TestVocabulary::kSmall), name_of);

}  // namespace
}  // namespace carat::grammar
