#include "server/openai/completion_request.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace carat::server::openai {
namespace {

using Ids = std::vector<TokenId>;

ApiResult<CompletionRequest> parse(const std::string& body) {
  return parse_completion_request(boost::json::parse(body).as_object(), {});
}

TEST(CompletionRequestTest, TakesEveryFormOfPrompt) {
  const auto prompts = [](const char* prompt) {
    const auto request = parse(std::string("{\"prompt\": ") + prompt + "}");
    EXPECT_TRUE(request) << request.error().message;
    return request ? request->prompts : std::vector<CompletionPrompt>();
  };
  using Prompts = std::vector<CompletionPrompt>;
  EXPECT_EQ(prompts(R"("a")"), Prompts{std::string("a")});
  EXPECT_EQ(prompts(R"("")"), Prompts{std::string("")});
  EXPECT_EQ(prompts(R"(["a", "b"])"), (Prompts{std::string("a"), std::string("b")}));
  EXPECT_EQ(prompts("[2, 17]"), Prompts{(Ids{2, 17})});
  EXPECT_EQ(prompts("[[2, 17], [3]]"), (Prompts{Ids{2, 17}, Ids{3}}));
}

TEST(CompletionRequestTest, Defaults) {
  const auto request = parse(R"({"prompt": "a"})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->options.sampling.max_tokens, 16U);
  EXPECT_EQ(request->options.sampling.logprobs, std::nullopt);
  EXPECT_FALSE(request->echo);
  EXPECT_EQ(parse(R"({"prompt": "a", "max_tokens": null})")->options.sampling.max_tokens, 16U);
  EXPECT_EQ(parse(R"({"prompt": "a", "max_tokens": -1})")->options.sampling.max_tokens, std::nullopt);
}

TEST(CompletionRequestTest, WhatLmEvalSends) {
  const auto request = parse(R"({"model": "m", "prompt": [[2, 5, 9]], "temperature": 0, "max_tokens": 1,
      "logprobs": 1, "seed": 1234, "echo": true})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_TRUE(request->echo);
  EXPECT_EQ(request->options.sampling.logprobs, 1);
  EXPECT_EQ(request->options.sampling.max_tokens, 1U);
}

TEST(CompletionRequestTest, ErrorsNameTheField) {
  using enum ApiErrorCode;
  struct Refused {
    const char* body;
    ApiErrorCode code;
    const char* param;
  };
  const Refused cases[] = {
      {"{}", kMissingParameter, "prompt"},
      {R"({"prompt": []})", kInvalidValue, "prompt"},
      {R"({"prompt": [[]]})", kInvalidValue, "prompt"},
      {R"({"prompt": 5})", kInvalidType, "prompt"},
      {R"({"prompt": {"a": 1}})", kInvalidType, "prompt"},
      {R"({"prompt": [1, "a"]})", kInvalidType, "prompt"},
      {R"({"prompt": ["a", 1]})", kInvalidType, "prompt"},
      {R"({"prompt": [-1]})", kInvalidType, "prompt"},
      {R"({"prompt": [1.5]})", kInvalidType, "prompt"},
      {R"({"prompt": [2147483648]})", kInvalidType, "prompt"},
      {R"({"prompt": "a", "logprobs": 21})", kInvalidValue, "logprobs"},
      {R"({"prompt": "a", "logprobs": true})", kInvalidType, "logprobs"},
      {R"({"prompt": "a", "suffix": "b"})", kUnsupportedParameter, "suffix"},
      {R"({"prompt": ["a","a","a","a","a"], "n": 128})", kInvalidValue, "n"},
  };
  for (const Refused& refused : cases) {
    const auto request = parse(refused.body);
    ASSERT_FALSE(request) << refused.body;
    EXPECT_EQ(request.error().code, refused.code) << refused.body;
    EXPECT_EQ(request.error().param, refused.param) << refused.body;
  }
}

}  // namespace
}  // namespace carat::server::openai
