#include "server/generation_options.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace carat::server {
namespace {

ApiResult<GenerationOptions> read_options(const std::string& text) {
  const auto object = boost::json::parse(text).as_object();
  FieldReader read(object);
  GenerationOptions options;
  options.sampling.temperature = 0.3F;
  read_generation_options(read, options);
  refuse_unsupported_fields(read);
  if (read.error()) return std::unexpected(*read.error());
  return options;
}

GenerationOptions accepted(const std::string& text) {
  auto options = read_options(text);
  EXPECT_TRUE(options) << text << ": " << options.error().message;
  return options.value_or(GenerationOptions());
}

TEST(GenerationOptionsTest, WhatIsLeftOutOrNullStays) {
  for (const char* text :
       {"{}", R"({"temperature": null, "top_k": null, "stop": null, "seed": null, "n": null,
        "max_tokens": null, "logit_bias": null, "stream": null, "stream_options": null, "tools": null,
        "response_format": null, "modalities": null, "cache_prompt": null})"}) {
    const GenerationOptions options = accepted(text);
    EXPECT_EQ(options.sampling.temperature, 0.3F);
    EXPECT_EQ(options.sampling.top_k, 64);
    EXPECT_EQ(options.sampling.max_tokens, std::nullopt);
    EXPECT_EQ(options.sampling.seed, std::nullopt);
    EXPECT_EQ(options.choices, 1U);
    EXPECT_FALSE(options.stream);
    EXPECT_TRUE(options.reuse_cache);
  }
}

TEST(GenerationOptionsTest, TakesOverEveryField) {
  const GenerationOptions options = accepted(R"({"temperature": 0, "top_p": 0.5, "min_p": 0.1, "top_k": 7,
      "repeat_penalty": 1.5, "presence_penalty": -1, "frequency_penalty": 2, "seed": 42, "max_tokens": 5,
      "stop": ["a", "", "b"], "logit_bias": {"12": -100, "3": 1.5}, "n": 3, "stream": true,
      "stream_options": {"include_usage": true}, "cache_prompt": false, "return_progress": true})");
  EXPECT_EQ(options.sampling.temperature, 0.0F);
  EXPECT_EQ(options.sampling.top_p, 0.5F);
  EXPECT_EQ(options.sampling.min_p, 0.1F);
  EXPECT_EQ(options.sampling.top_k, 7);
  EXPECT_EQ(options.sampling.repetition_penalty, 1.5F);
  EXPECT_EQ(options.sampling.presence_penalty, -1.0F);
  EXPECT_EQ(options.sampling.frequency_penalty, 2.0F);
  EXPECT_EQ(options.sampling.seed, 42U);
  EXPECT_EQ(options.sampling.max_tokens, 5U);
  EXPECT_EQ(options.sampling.stop, (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(options.sampling.logit_bias.size(), 2U);
  EXPECT_EQ(options.sampling.logit_bias[0].token, 12);
  EXPECT_EQ(options.sampling.logit_bias[0].bias, -100.0F);
  EXPECT_EQ(options.choices, 3U);
  EXPECT_TRUE(options.stream && options.include_usage && options.return_progress);
  EXPECT_FALSE(options.reuse_cache);
}

TEST(GenerationOptionsTest, SpecialNumbers) {
  EXPECT_EQ(accepted(R"({"seed": -1})").sampling.seed, std::nullopt);
  EXPECT_EQ(accepted(R"({"seed": -2})").sampling.seed, 18446744073709551614U);
  EXPECT_EQ(accepted(R"({"max_tokens": -1})").sampling.max_tokens, std::nullopt);
  EXPECT_EQ(accepted(R"({"max_tokens": 0})").sampling.max_tokens, 0U);
  EXPECT_EQ(accepted(R"({"max_tokens": 5, "max_completion_tokens": 7})").sampling.max_tokens, 7U);
  EXPECT_EQ(accepted(R"({"max_tokens": 5, "max_completion_tokens": null})").sampling.max_tokens, 5U);
  EXPECT_EQ(accepted(R"({"top_k": -1})").sampling.top_k, 0);
  EXPECT_EQ(accepted(R"({"stop": "x"})").sampling.stop, std::vector<std::string>{"x"});
}

TEST(GenerationOptionsTest, UnknownFieldsAndNeutralValuesPass) {
  accepted(R"({"user": "me", "store": true, "metadata": {"a": 1}, "service_tier": "auto", "zzz": [1]})");
  accepted(R"({"tools": [], "functions": [], "response_format": {"type": "text"}, "modalities": ["text"],
      "grammar": "", "ignore_eos": false, "typical_p": 1, "min_tokens": 0, "best_of": 1})");
  accepted(R"({"tools": [{"type": "function"}], "tool_choice": "none"})");
}

struct Refused {
  const char* body;
  ApiErrorCode code;
  const char* param;
};

TEST(GenerationOptionsTest, WhatWouldChangeTheAnswerIsRefused) {
  using enum ApiErrorCode;
  const Refused cases[] = {
      {R"({"temperature": "hot"})", kInvalidType, "temperature"},
      {R"({"temperature": 1e300})", kInvalidValue, "temperature"},
      {R"({"n": 0})", kInvalidValue, "n"},
      {R"({"n": 129})", kInvalidValue, "n"},
      {R"({"max_tokens": -2})", kInvalidValue, "max_tokens"},
      {R"({"max_completion_tokens": 4294967296})", kInvalidValue, "max_completion_tokens"},
      {R"({"stop": 5})", kInvalidType, "stop"},
      {R"({"stop": ["a", 5]})", kInvalidType, "stop"},
      {R"({"logit_bias": []})", kInvalidType, "logit_bias"},
      {R"({"logit_bias": {"x": 1}})", kInvalidValue, "logit_bias"},
      {R"({"logit_bias": {"99999999999": 1}})", kInvalidValue, "logit_bias"},
      {R"({"logit_bias": {"1": 101}})", kInvalidValue, "logit_bias"},
      {R"({"logit_bias": {"1": "1"}})", kInvalidType, "logit_bias"},
      {R"({"stream_options": {"include_usage": 1}})", kInvalidType, "stream_options.include_usage"},
      {R"({"tools": [{"type": "function"}]})", kUnsupportedParameter, "tools"},
      {R"({"tools": [{}], "tool_choice": "auto"})", kUnsupportedParameter, "tools"},
      {R"({"functions": [{}]})", kUnsupportedParameter, "functions"},
      {R"({"modalities": ["text", "audio"]})", kUnsupportedParameter, "modalities"},
      {R"({"audio": {"voice": "x"}})", kUnsupportedParameter, "audio"},
      {R"({"typical_p": 0.5})", kUnsupportedParameter, "typical_p"},
      {R"({"best_of": 2})", kUnsupportedParameter, "best_of"},
      {R"({"ignore_eos": true})", kUnsupportedParameter, "ignore_eos"},
  };
  for (const Refused& refused : cases) {
    const auto options = read_options(refused.body);
    ASSERT_FALSE(options) << refused.body;
    EXPECT_EQ(options.error().code, refused.code) << refused.body;
    EXPECT_EQ(options.error().param, refused.param) << refused.body;
  }
}

}  // namespace
}  // namespace carat::server
