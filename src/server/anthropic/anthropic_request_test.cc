#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "server/anthropic/request.h"

namespace carat::server::anthropic {
namespace {

namespace json = boost::json;
using prompt::Role;

ApiResult<Request> request_of(std::string_view text) {
  return parse_request(json::parse(text).as_object(), {});
}

TEST(AnthropicRequest, ReadsMessagesBlocksAndSampling) {
  const auto request = request_of(R"({"model": "m", "max_tokens": 9, "stream": true, "temperature": 0.25,
      "top_p": 0.5, "top_k": 4, "stop_sequences": ["END", ""], "metadata": {"user_id": "u"},
      "thinking": {"type": "disabled"}, "tools": [],
      "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
      "messages": [
        {"role": "user", "content": [{"type": "text", "text": "What is it?"},
          {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]},
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": "Sure?"}]})");
  ASSERT_TRUE(request.has_value()) << request.error().message;
  EXPECT_TRUE(request->options.stream);
  EXPECT_EQ(request->options.sampling.max_tokens, 9U);
  EXPECT_FLOAT_EQ(request->options.sampling.temperature, 0.25F);
  EXPECT_FLOAT_EQ(request->options.sampling.top_p, 0.5F);
  EXPECT_EQ(request->options.sampling.top_k, 4);
  EXPECT_EQ(request->options.sampling.stop, std::vector<std::string>{"END"});
  const auto& messages = request->turns.messages;
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[0].role, Role::kSystem);
  EXPECT_EQ(messages[0].text, "Be brief.\nBe kind.");
  EXPECT_EQ(messages[1].text, "What is it?");
  EXPECT_EQ(messages[1].images.size(), 1U);
  EXPECT_EQ(messages[3].text, "Sure?");
}

TEST(AnthropicRequest, ATrailingAnswerIsContinued) {
  const auto request = request_of(R"({"max_tokens": 1, "messages": [
      {"role": "user", "content": "a"}, {"role": "assistant", "content": "The answer is"}]})");
  ASSERT_TRUE(request.has_value());
  EXPECT_TRUE(request->turns.continues_answer);
}

TEST(AnthropicRequest, EarlierToolCallsAndResultsBecomeText) {
  const auto request = request_of(R"({"max_tokens": 1, "messages": [
      {"role": "user", "content": "Weather?"},
      {"role": "assistant", "content": [{"type": "text", "text": "Let me look."},
         {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Oslo"}}]},
      {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
         "content": [{"type": "text", "text": "rain"}]}]}]})");
  ASSERT_TRUE(request.has_value()) << request.error().message;
  EXPECT_EQ(request->turns.messages[1].text,
            "Let me look.\n{\"name\": \"weather\", \"parameters\": {\"city\":\"Oslo\"}}");
  EXPECT_EQ(request->turns.messages[2].text, "```tool_output\nrain\n```");
}

struct Refused {
  const char* body;  // beside max_tokens and one message, which it may replace
  const char* param;
};

TEST(AnthropicRequest, RefusesByField) {
  for (const auto& [body, param] : {
           Refused{R"({"messages": [{"role": "user", "content": "a"}]})", "max_tokens"},
           Refused{R"({"max_tokens": 0, "messages": [{"role": "user", "content": "a"}]})", "max_tokens"},
           Refused{R"({"max_tokens": 1})", "messages"},
           Refused{R"({"max_tokens": 1, "messages": []})", "messages"},
           Refused{R"({"max_tokens": 1, "messages": [{"role": "system", "content": "a"}]})",
                   "messages[0].role"},
           Refused{R"({"max_tokens": 1, "messages": [{"role": "user"}]})", "messages[0].content"},
           Refused{R"({"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "document"}]}]})",
                   "messages[0].content[0].type"},
           Refused{R"({"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "image",
                       "source": {"type": "url", "url": "http://example.org"}}]}]})",
                   "messages[0].content[0].source.type"},
           Refused{R"({"max_tokens": 1, "system": 3, "messages": [{"role": "user", "content": "a"}]})",
                   "system"},
           Refused{R"({"max_tokens": 1, "tools": [{"name": "t"}],
                       "messages": [{"role": "user", "content": "a"}]})",
                   "tools"},
           Refused{R"({"max_tokens": 1, "thinking": {"type": "enabled"},
                       "messages": [{"role": "user", "content": "a"}]})",
                   "thinking.type"},
           Refused{R"({"max_tokens": 1, "output_config": {"format": {"type": "json_schema"}},
                       "messages": [{"role": "user", "content": "a"}]})",
                   "output_config.format"},
           Refused{R"({"max_tokens": 1, "output_format": {"type": "json_schema"},
                       "messages": [{"role": "user", "content": "a"}]})",
                   "output_format"},
           Refused{R"({"max_tokens": 1, "stop_sequences": [1],
                       "messages": [{"role": "user", "content": "a"}]})",
                   "stop_sequences"},
       }) {
    const auto request = request_of(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().param, param) << body;
    EXPECT_EQ(info(request.error().code).status, 400U) << body;
  }
}

}  // namespace
}  // namespace carat::server::anthropic
