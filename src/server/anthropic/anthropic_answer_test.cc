#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <utility>
#include <vector>

#include "server/anthropic/answer.h"

namespace carat::server::anthropic {
namespace {

namespace json = boost::json;

AnswerHead test_head() { return {.id = "msg_1", .created = 0, .model = "m", .fingerprint = "f", .seed = 1}; }

AnswerFormat::Texts run(AnswerFormat& format, const engine::GenerationResult& result) {
  AnswerFormat::Texts texts;
  format.on_event(0, engine::Admitted{.prompt_tokens = 7, .cached_tokens = 2}, texts);
  format.on_event(0, engine::TokenEvent{.token = 1, .bytes = "Hel", .text = "Hel", .logprobs = {}}, texts);
  format.on_event(0, engine::TrailingText{.text = "lo"}, texts);
  format.on_result(0, result, texts);
  format.finish(texts);
  return texts;
}

engine::GenerationResult test_result() {
  engine::GenerationResult result;
  result.text = "Hello";
  result.usage.prompt_tokens = 7;
  result.usage.cached_tokens = 2;
  result.usage.generated_tokens = 3;
  return result;
}

TEST(AnthropicAnswer, StreamsNamedEventsInTheirOrder) {
  const auto format = make_format(test_head(), true);
  std::vector<std::string> names;
  std::string text;
  for (const AnswerText& event : run(*format, test_result())) {
    const json::object body = json::parse(event.json).as_object();
    EXPECT_EQ(body.at("type"), json::value(event.event));
    names.push_back(event.event);
    if (event.event == "content_block_delta") text += body.at("delta").at("text").as_string();
    if (event.event == "message_start") {
      EXPECT_EQ(body.at("message").at("id"), "msg_1");
      EXPECT_EQ(body.at("message").at("content"), json::array());
      EXPECT_EQ(body.at("message").at("usage").at("input_tokens"), 5);
      EXPECT_EQ(body.at("message").at("usage").at("cache_read_input_tokens"), 2);
    }
    if (event.event == "message_delta") {
      EXPECT_EQ(body.at("delta").at("stop_reason"), "end_turn");
      EXPECT_EQ(body.at("usage").at("output_tokens"), 3);
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"message_start", "content_block_start", "content_block_delta",
                                             "content_block_delta", "content_block_stop", "message_delta",
                                             "message_stop"}));
  EXPECT_EQ(text, "Hello");
}

TEST(AnthropicAnswer, WithoutStreamAllIsInOneObject) {
  const auto format = make_format(test_head(), false);
  const AnswerFormat::Texts texts = run(*format, test_result());
  ASSERT_EQ(texts.size(), 1U);
  const json::object body = json::parse(texts[0].json).as_object();
  EXPECT_EQ(body.at("type"), "message");
  EXPECT_EQ(body.at("role"), "assistant");
  EXPECT_EQ(body.at("content"), json::parse(R"([{"type": "text", "text": "Hello"}])"));
  EXPECT_EQ(body.at("stop_reason"), "end_turn");
  EXPECT_EQ(body.at("usage").at("input_tokens"), 5);
}

TEST(AnthropicAnswer, SaysWhyItStopped) {
  engine::GenerationResult result = test_result();
  result.stop_string = "END";
  const auto body_with = [&](std::vector<std::string> asked) {
    return json::parse(run(*make_format(test_head(), false, std::move(asked)), result)[0].json);
  };
  json::value body = body_with({"STOP", "END"});
  EXPECT_EQ(body.at("stop_reason"), "stop_sequence");
  EXPECT_EQ(body.at("stop_sequence"), "END");
  body = body_with({"STOP"});  // the prompt style's own
  EXPECT_EQ(body.at("stop_reason"), "end_turn");
  EXPECT_EQ(body.at("stop_sequence"), nullptr);
  result.finish = engine::FinishReason::kLength;
  body = body_with({"END"});
  EXPECT_EQ(body.at("stop_reason"), "max_tokens");
  EXPECT_EQ(body.at("stop_sequence"), nullptr);
}

}  // namespace
}  // namespace carat::server::anthropic
