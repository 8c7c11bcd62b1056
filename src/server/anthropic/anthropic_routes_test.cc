#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "server/anthropic/routes.h"
#include "server/test_server.h"

namespace carat::server::anthropic {
namespace {

namespace json = boost::json;
using engine::Script;
using http::RawAnswer;
using testing::HasSubstr;

constexpr std::string_view kMessages =
    R"("model": "scripted", "messages": [{"role": "user", "content": "hi"}])";

std::string message_body(std::string_view more = "") {
  return fmt::format(R"({{{}, "max_tokens": 50{}}})", kMessages, more);
}

class AnthropicRoutesTest : public ServerTest {
 protected:
  void add_api(http::Router& router, ServerContext& context) override { add_routes(router, context); }

  // The message of an error of that type, in Anthropic's shape.
  static std::string error_of(const RawAnswer& answer, std::string_view type) {
    const json::value body = json_of(answer);
    EXPECT_EQ(body.at("type"), "error") << answer.body;
    EXPECT_EQ(body.at_pointer("/error/type"), json::value(type)) << answer.body;
    return std::string(body.at_pointer("/error/message").as_string());
  }
};

TEST_F(AnthropicRoutesTest, AnswersWhole) {
  serve(Script());
  const RawAnswer answer = ask("POST", "/v1/messages", message_body(), "anthropic-version: 2023-06-01\r\n");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.header("content-type"), "application/json");
  const json::value body = json_of(answer);
  EXPECT_TRUE(body.at("id").as_string().starts_with("msg_"));
  EXPECT_EQ(body.at("model"), "scripted");
  EXPECT_EQ(body.at("content"), json::parse(R"([{"type": "text", "text": "Hello, world!"}])"));
  EXPECT_EQ(body.at("stop_reason"), "end_turn");
  EXPECT_EQ(body.at_pointer("/usage/input_tokens"), 7);
  EXPECT_EQ(body.at_pointer("/usage/output_tokens"), 4);
}

TEST_F(AnthropicRoutesTest, StreamsNamedEvents) {
  serve(Script());
  const RawAnswer answer = ask("POST", "/v1/messages", message_body(R"(, "stream": true)"));
  EXPECT_EQ(answer.status, 200U);
  EXPECT_TRUE(answer.header("content-type").starts_with("text/event-stream"));
  const auto names = lines_with(answer.body, "event: ");
  EXPECT_EQ(names,
            (std::vector<std::string>{"message_start", "content_block_start", "content_block_delta",
                                      "content_block_delta", "content_block_delta", "content_block_delta",
                                      "content_block_stop", "message_delta", "message_stop"}));
  const auto data = lines_with(answer.body, "data: ");
  ASSERT_EQ(data.size(), names.size());
  std::string text;
  for (std::size_t i = 0; i < data.size(); ++i) {
    const json::value event = json::parse(data[i]);
    EXPECT_EQ(event.at("type"), json::value(names[i]));
    if (names[i] == "content_block_delta") text += event.at_pointer("/delta/text").as_string();
  }
  EXPECT_EQ(text, "Hello, world!");
  EXPECT_EQ(json::parse(data[7]).at_pointer("/usage/output_tokens"), 4);
}

TEST_F(AnthropicRoutesTest, FieldsReachTheEngine) {
  serve(Script());
  const RawAnswer answer =
      ask("POST", "/v1/messages",
          fmt::format(R"({{{}, "max_tokens": 2, "temperature": 0.5, "top_k": 3, "stop_sequences": ["x"],
                       "system": [{{"type": "text", "text": "Be brief.", "cache_control": {{}}}}]}})",
                      kMessages));
  ASSERT_EQ(answer.status, 200U) << answer.body;
  EXPECT_EQ(json_of(answer).at("stop_reason"), "max_tokens");
  const auto seen = engine_->requests();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].sampling.max_tokens, 2U);
  EXPECT_EQ(seen[0].sampling.top_k, 3);
  EXPECT_EQ(seen[0].sampling.stop, std::vector<std::string>{"x"});
  ASSERT_EQ(seen[0].messages.size(), 2U);
  EXPECT_EQ(seen[0].messages[0].text, "Be brief.");
}

TEST_F(AnthropicRoutesTest, CountsTokensWithoutMaxTokens) {
  serve(Script());
  const RawAnswer answer = ask("POST", "/v1/messages/count_tokens", fmt::format("{{{}}}", kMessages));
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(json_of(answer), json::parse(R"({"input_tokens": 7})"));
  EXPECT_TRUE(engine_->requests().empty());
  error_of(ask("POST", "/v1/messages/count_tokens", "{}"), "invalid_request_error");
}

TEST_F(AnthropicRoutesTest, ErrorsHaveTheirTypes) {
  serve(Script());
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("[]"), fmt::format("{{{}}}", kMessages),
        message_body(R"(, "tools": [{"name": "f"}])"),
        message_body(R"(, "thinking": {"type": "enabled", "budget_tokens": 1024})")}) {
    const RawAnswer answer = ask("POST", "/v1/messages", body);
    EXPECT_EQ(answer.status, 400U) << body;
    EXPECT_FALSE(error_of(answer, "invalid_request_error").empty());
  }
  EXPECT_THAT(
      error_of(ask("POST", "/v1/messages", fmt::format("{{{}}}", kMessages)), "invalid_request_error"),
      HasSubstr("max_tokens"));
  const RawAnswer unknown = ask("POST", "/v1/messages", R"({"model": "x", "max_tokens": 1, "messages": []})");
  EXPECT_EQ(unknown.status, 404U);
  error_of(unknown, "not_found_error");
  const RawAnswer absent = ask("POST", "/v1/messages/batches", "{}");
  EXPECT_EQ(absent.status, 404U);
  error_of(absent, "not_found_error");
  EXPECT_EQ(ask("GET", "/v1/messages").status, 405U);
}

TEST_F(AnthropicRoutesTest, KeysComeInEitherHeader) {
  serve_with_keys("first-key-of-20-bytes\n");
  const RawAnswer closed = ask("POST", "/v1/messages", message_body());
  EXPECT_EQ(closed.status, 401U);
  error_of(closed, "authentication_error");
  for (const char* header :
       {"x-api-key: first-key-of-20-bytes\r\n", "Authorization: Bearer first-key-of-20-bytes\r\n"})
    EXPECT_EQ(ask("POST", "/v1/messages", message_body(), header).status, 200U) << header;
}

TEST_F(AnthropicRoutesTest, TooLongHasBothNumbers) {
  Script script;
  script.refusal = Error{ErrorKind::kContextExceeded, "too long"};
  script.prompt_tokens = 5000;
  serve(script);
  for (const char* more : {"", R"(, "stream": true)"}) {
    const RawAnswer answer = ask("POST", "/v1/messages", message_body(more));
    EXPECT_EQ(answer.status, 400U);
    const std::string message = error_of(answer, "invalid_request_error");
    EXPECT_THAT(message, HasSubstr("4096"));
    EXPECT_THAT(message, HasSubstr("5000"));
  }
}

TEST_F(AnthropicRoutesTest, AnEngineThatIsFullIsOverloaded) {
  Script script;
  script.refusal = Error{ErrorKind::kOverloaded, "full"};
  serve(script);
  const RawAnswer answer = ask("POST", "/v1/messages", message_body(R"(, "stream": true)"));
  EXPECT_EQ(answer.status, 503U);
  EXPECT_EQ(answer.header("retry-after"), "1");
  error_of(answer, "overloaded_error");
}

TEST_F(AnthropicRoutesTest, AFailureAfterTheFirstTokenIsAnEvent) {
  Script script;
  script.error = Error{ErrorKind::kFailed, "/secret/path broke"};
  serve(script);
  const RawAnswer answer = ask("POST", "/v1/messages", message_body(R"(, "stream": true)"));
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(lines_with(answer.body, "event: ").back(), "error");
  const json::value last = json::parse(lines_with(answer.body, "data: ").back());
  EXPECT_EQ(last.at("type"), "error");
  EXPECT_EQ(last.at_pointer("/error/type"), "api_error");
  EXPECT_EQ(answer.body.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace carat::server::anthropic
