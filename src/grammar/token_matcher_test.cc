#include "grammar/token_matcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <string>

#include "grammar/test_answers.h"

namespace carat::grammar {
namespace {

using testing::HasSubstr;

prompt::JsonSchema schema(std::string text) { return {std::move(text)}; }

prompt::ToolCalls two_tools() {
  return {.trigger = "<call>",
          .end = "</call>",
          .tools = {
              {"weather", schema(R"({"type":"object","properties":{"city":{"type":"string","maxLength":4}},)"
                                 R"("required":["city"],"additionalProperties":false})")},
              {"time", schema(R"({"type":"object","additionalProperties":false})")}}};
}

class TokenMatcherTest : public AnswerTest {
 protected:
  TokenMatcher start(const prompt::Constraint& constraint) {
    return TokenMatcher::start(compile(constraint).value()).value();
  }
  // Feeds a text; false where it is not allowed.
  bool feed(TokenMatcher& matcher, std::string_view text) const {
    for (const TokenId id : tokenizer_->encode(text, tokenizer::ControlTokens::kAsText)) {
      if (!matcher.accept(id)) return false;
    }
    return true;
  }
  bool may_end(TokenMatcher& matcher) const {
    const auto mask = matcher.allowed();
    return mask && allows(*mask, *tokenizer_->end_of_turn());
  }
};

TEST_P(TokenMatcherTest, ControlTokensAreNeverAllowedWhateverTheGrammarSays) {
  for (const prompt::Constraint& constraint : std::initializer_list<prompt::Constraint>{
           prompt::Ebnf{"root ::= [^x]*"}, prompt::Ebnf{"root ::= Token(2) \"a\" | \"b\""},
           prompt::JsonObject{}, prompt::Constraint(two_tools())}) {
    TokenMatcher matcher = start(constraint);
    const auto mask = matcher.allowed();
    ASSERT_TRUE(mask) << mask.error().message;
    for (std::size_t id = 0; id < tokenizer_->size(); ++id) {
      const auto token = static_cast<TokenId>(id);
      if (tokenizer_->is_control(token) && !tokenizer_->is_end_of_generation(token)) {
        ASSERT_FALSE(allows(*mask, token)) << tokenizer_->piece(token);
      }
    }
  }
}

TEST_P(TokenMatcherTest, AnAnswerEndsWhereItIsCompleteAndNotBefore) {
  TokenMatcher matcher = start(prompt::JsonObject{});
  EXPECT_FALSE(may_end(matcher));
  ASSERT_TRUE(feed(matcher, R"({"a":[1,{"b":null}]})"));
  EXPECT_TRUE(may_end(matcher));
  EXPECT_FALSE(matcher.is_terminated());
  ASSERT_TRUE(matcher.accept(*tokenizer_->end_of_turn()));
  EXPECT_TRUE(matcher.is_terminated());
  EXPECT_FALSE(matcher.allowed());
}

TEST_P(TokenMatcherTest, AForbiddenTokenEndsTheAnswerForGood) {
  TokenMatcher matcher = start(prompt::JsonObject{});
  EXPECT_FALSE(matcher.accept(*tokenizer_->end_of_turn()));
  EXPECT_FALSE(matcher.allowed());
  EXPECT_FALSE(feed(matcher, "{"));
  EXPECT_FALSE(matcher.rollback(0));
  EXPECT_FALSE(matcher.clone());
  TokenMatcher other = start(prompt::JsonObject{});
  EXPECT_FALSE(other.accept(-1));
  TokenMatcher third = start(prompt::JsonObject{});
  EXPECT_FALSE(third.accept(static_cast<TokenId>(tokenizer_->size())));
}

TEST_P(TokenMatcherTest, WhereNothingMayFollowItFails) {
  // The small vocabulary has no piece for it but bytes, so both can write it: a character that is no text.
  TokenMatcher matcher = start(prompt::Ebnf{"root ::= \"a\" Token(2)"});
  ASSERT_TRUE(feed(matcher, "a"));
  const auto mask = matcher.allowed();
  ASSERT_FALSE(mask);
  EXPECT_THAT(mask.error().message, HasSubstr("no token can go on"));
}

TEST_P(TokenMatcherTest, AnOnlyTokenIsKnownWithoutTheModel) {
  TokenMatcher matcher = start(prompt::Regex{"\\{x"});
  const auto first = matcher.forced();
  ASSERT_TRUE(first && *first);
  EXPECT_EQ(tokenizer_->piece(**first), "{");
  TokenMatcher free = start(prompt::Regex{"[ab]"});
  EXPECT_EQ(free.forced().value(), std::nullopt);
}

TEST_P(TokenMatcherTest, TokensCanBeTakenBack) {
  const std::string limited = R"({"type":"array","items":{"type":"string","maxLength":3}})";
  TokenMatcher matcher = start(schema(limited));
  ASSERT_TRUE(feed(matcher, "[\"ab"));
  const std::vector<std::uint32_t> before(matcher.allowed()->begin(), matcher.allowed()->end());
  const auto ids = tokenizer_->encode("b\"]", tokenizer::ControlTokens::kAsText);
  for (const TokenId id : ids) ASSERT_TRUE(matcher.accept(id));
  ASSERT_TRUE(matcher.accept(*tokenizer_->end_of_turn()));
  ASSERT_TRUE(matcher.rollback(ids.size() + 1));
  EXPECT_FALSE(matcher.is_terminated());
  EXPECT_THAT(*matcher.allowed(), testing::ElementsAreArray(before));
  EXPECT_FALSE(feed(matcher, "bb"));
  EXPECT_FALSE(matcher.rollback(1000));
}

TEST_P(TokenMatcherTest, ACloneGoesItsOwnWay) {
  TokenMatcher first = start(schema(R"({"type":"string","maxLength":2})"));
  ASSERT_TRUE(feed(first, "\"a"));
  TokenMatcher second = first.clone().value();
  ASSERT_TRUE(feed(first, "b\""));
  EXPECT_TRUE(may_end(first));
  EXPECT_FALSE(may_end(second));
  ASSERT_TRUE(feed(second, "\""));
  EXPECT_TRUE(may_end(second));
}

TEST_P(TokenMatcherTest, LengthsAreCountedInCharacters) {
  const auto constraint =
      compile(
          schema(
              R"({"properties":{"s":{"type":"string","minLength":2,"maxLength":3}},"additionalProperties":)"
              R"({"type":"array","items":{"type":"string","maxLength":1}}})"))
          .value();
  for (const auto& [text, passes] : std::initializer_list<std::pair<const char*, bool>>{
           {R"({"s":"ab"})", true},
           {R"({"s":"abc"})", true},
           {R"({"s":"a"})", false},
           {R"({"s":"abcd"})", false},
           {"{\"s\":\"\u00e9\u00e9\u00e9\"}", true},
           {"{\"s\":\"\u00e9\u00e9\u00e9\u00e9\"}", false},
           {"{\"s\":\"\U0001F600\U0001F600\U0001F600\"}", true},
           {R"({"s":"\n\u0041\""})", true},
           {R"({"s":"\n\u0041\"a"})", false},
           {R"({"s":"ab","x":["a","","b"]})", true},
           {R"({"s":"ab","x":["aa"]})", false},
           {R"({"x":["a"],"s2":[]})", false},  // begins like s, which is kept for the member
           {"{\"s\":\"ab\",\"\u00e9\":[\"\u00e9\"]}", true}}) {
    EXPECT_EQ(accepts(constraint, text), passes) << text;
  }
}

TEST_P(TokenMatcherTest, ToolCallsFollowTheirSchemasWithinFreeText) {
  const auto constraint = compile(two_tools()).value();
  const std::string call = R"(<call>{"name":"weather","arguments":{"city":"Bern"}}</call>)";
  EXPECT_TRUE(accepts(constraint, "no tool is needed"));
  EXPECT_TRUE(accepts(constraint, "let me see " + call));
  EXPECT_TRUE(accepts(constraint, call + " and " + R"(<call>{"name":"time","arguments":{}}</call>)"));
  EXPECT_FALSE(accepts(constraint, "<call>none</call>"));
  EXPECT_FALSE(accepts(constraint, R"(<call>{"name":"other","arguments":{}}</call>)"));
  EXPECT_FALSE(accepts(constraint, R"(<call>{"name":"weather","arguments":{}}</call>)"));
  EXPECT_FALSE(accepts(constraint, R"(<call>{"name":"weather","arguments":{"city":"Berne"}}</call>)"));
  EXPECT_FALSE(accepts(constraint, R"(x <<call>{"name":"weather","arguments":{"city":"Berne"}}</call>)"));
  EXPECT_FALSE(accepts(constraint, R"(<call>{"name":"time","arguments":{}})"));
}

TEST_P(TokenMatcherTest, ARequiredCallComesFirstAndASingleOneLast) {
  prompt::ToolCalls calls = two_tools();
  const std::string call = R"(<call>{"name":"time","arguments":{}}</call>)";
  calls.required = true;
  EXPECT_FALSE(accepts(compile(calls).value(), ""));
  EXPECT_FALSE(accepts(compile(calls).value(), "text " + call));
  EXPECT_TRUE(accepts(compile(calls).value(), call + call));
  calls.parallel = false;
  EXPECT_TRUE(accepts(compile(calls).value(), call));
  EXPECT_FALSE(accepts(compile(calls).value(), call + call));
  calls.required = false;
  EXPECT_TRUE(accepts(compile(calls).value(), "text " + call));
  EXPECT_FALSE(accepts(compile(calls).value(), call + call));
  EXPECT_TRUE(accepts(compile(calls).value(), "text"));
}

// Integers and decimals beside the bounds, told apart by plain comparison.
TEST_P(TokenMatcherTest, NumbersKeepToTheirBounds) {
  const double bounds[] = {-101.0, -10.0, -9.5, -1.0, -0.25, 0.0, 0.05, 1.0, 9.99, 10.0, 99.0, 120.5};
  for (const double low : bounds) {
    for (const double high : bounds) {
      for (const bool exclusive : {false, true}) {
        const std::string_view prefix = exclusive ? "exclusiveM" : "m";
        const auto constraint = compile(
            schema(fmt::format(R"({{"type":"number","{0}inimum":{1},"{0}aximum":{2}}})", prefix, low, high)));
        const bool possible = exclusive ? low < high : low <= high;
        ASSERT_EQ(constraint.has_value(), possible) << low << " " << high;
        if (!possible) continue;
        for (int hundredths = -12'100; hundredths <= 12'100; hundredths += hundredths % 100 == 0 ? 1 : 33) {
          const double value = hundredths / 100.0;
          const bool inside = exclusive ? low < value && value < high : low <= value && value <= high;
          const std::string text = fmt::format("{}", value);
          if (text == "-0") continue;
          ASSERT_EQ(accepts(*constraint, text), inside) << text << " in " << low << " " << high << exclusive;
        }
      }
    }
  }
}

TEST_P(TokenMatcherTest, IntegersKeepToTheirBounds) {
  const int bounds[] = {-1001, -100, -99, -8, -1, 0, 1, 7, 10, 99, 100, 1234};
  for (const int low : bounds) {
    for (const int high : bounds) {
      if (low > high) continue;
      const auto constraint =
          compile(schema(fmt::format(R"({{"type":"integer","minimum":{},"maximum":{}}})", low, high)))
              .value();
      for (int value = -1300; value <= 1300; value += 13) {
        ASSERT_EQ(accepts(constraint, fmt::format("{}", value)), low <= value && value <= high) << value;
      }
      for (const int value : {low - 1, low, high, high + 1}) {
        ASSERT_EQ(accepts(constraint, fmt::format("{}", value)), low <= value && value <= high) << value;
      }
      EXPECT_FALSE(accepts(constraint, "007"));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, TokenMatcherTest, testing::Values(TestVocabulary::kSmall), name_of);

}  // namespace
}  // namespace carat::grammar
