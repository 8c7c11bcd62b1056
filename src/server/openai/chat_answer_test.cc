#include "server/openai/chat_answer.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using engine::FinishReason;

const AnswerHead kHead = {
    .id = "chatcmpl-1", .created = 1700000000, .model = "m", .fingerprint = "fp_1", .seed = 9};

engine::TokenEvent token(const std::string& bytes, std::string text, bool logprobs = false) {
  engine::TokenEvent event{.token = 7, .bytes = bytes, .text = std::move(text), .logprobs = {}};
  if (logprobs) {
    engine::Logprobs& own = event.logprobs.emplace();
    own.chosen = {7, -0.5F, bytes};
    own.top.push_back({7, -0.5F, bytes});
    own.top.push_back({8, -2.0F, "z"});
  }
  return event;
}

engine::GenerationResult result(std::string text, std::size_t tokens,
                                FinishReason finish = FinishReason::kStop) {
  engine::GenerationResult result;
  result.text = std::move(text);
  result.ids.assign(tokens, 7);
  result.finish = finish;
  result.usage = {.prompt_tokens = 10,
                  .cached_tokens = 4,
                  .generated_tokens = tokens + 1,
                  .prefill_seconds = 0.5,
                  .decode_seconds = 2};
  return result;
}

TEST(ChatAnswerTest, WholeAnswer) {
  const auto format = make_chat_format(kHead, {});
  EXPECT_EQ(format->transport(), Transport::kWhole);
  AnswerFormat::Texts out;
  format->on_event(0, engine::Admitted{10, 4}, out);
  format->on_event(0, token("Hi", "Hi"), out);
  format->on_result(0, result("Hi", 1), out);
  EXPECT_TRUE(out.empty());
  format->finish(out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(json::parse(out[0].json), json::parse(R"({"id": "chatcmpl-1", "object": "chat.completion",
      "created": 1700000000, "model": "m", "system_fingerprint": "fp_1",
      "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi", "refusal": null},
                   "logprobs": null, "finish_reason": "stop"}],
      "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12,
                "prompt_tokens_details": {"cached_tokens": 4}},
      "seed": 9,
      "timings": {"cache_n": 4, "prompt_n": 6, "prompt_ms": 500.0, "prompt_per_token_ms": 83.33333333333333,
                  "prompt_per_second": 12.0, "predicted_n": 2, "predicted_ms": 2000.0,
                  "predicted_per_token_ms": 1000.0, "predicted_per_second": 1.0}})"));
}

TEST(ChatAnswerTest, Stream) {
  GenerationOptions options;
  options.stream = true;
  const auto format = make_chat_format(kHead, options);
  EXPECT_EQ(format->transport(), Transport::kEvents);
  AnswerFormat::Texts out;
  format->on_event(0, engine::Admitted{10, 4}, out);
  format->on_event(0, engine::PrefillProgress{6, 6}, out);
  format->on_event(0, token("H", ""), out);
  format->on_event(0, token("i", "Hi"), out);
  format->on_event(0, engine::TrailingText{"!"}, out);
  format->on_result(0, result("Hi!", 3, FinishReason::kLength), out);
  format->finish(out);
  ASSERT_EQ(out.size(), 5U);
  const std::string head = R"("id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000,
      "model": "m", "system_fingerprint": "fp_1")";
  const auto chunk = [&](const char* delta) {
    return json::parse("{" + head + R"(, "choices": [{"index": 0, "delta": )" + delta +
                       R"(, "logprobs": null, "finish_reason": null}]})");
  };
  EXPECT_EQ(json::parse(out[0].json), chunk(R"({"role": "assistant", "content": ""})"));
  EXPECT_EQ(json::parse(out[1].json), chunk(R"({"content": "Hi"})"));
  EXPECT_EQ(json::parse(out[2].json), chunk(R"({"content": "!"})"));
  const json::value last = json::parse(out[3].json);
  EXPECT_EQ(last.at_pointer("/choices/0/finish_reason"), json::value("length"));
  EXPECT_EQ(last.at_pointer("/choices/0/delta"), json::value(json::object()));
  EXPECT_EQ(last.at_pointer("/timings/prompt_n").to_number<int>(), 6);
  EXPECT_FALSE(last.as_object().contains("usage"));
  EXPECT_EQ(out[4].json, "[DONE]");
}

TEST(ChatAnswerTest, StreamWithUsage) {
  GenerationOptions options;
  options.stream = true;
  options.include_usage = true;
  const auto format = make_chat_format(kHead, options);
  AnswerFormat::Texts out;
  format->on_event(0, engine::Admitted{10, 4}, out);
  format->on_event(0, token("Hi", "Hi"), out);
  format->on_result(0, result("Hi", 1), out);
  format->finish(out);
  ASSERT_EQ(out.size(), 5U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(json::parse(out[i].json).as_object().at("usage").is_null());
  const json::value last = json::parse(out[3].json);
  EXPECT_TRUE(last.at("choices").as_array().empty());
  EXPECT_EQ(last.at_pointer("/usage/total_tokens").to_number<int>(), 12);
  EXPECT_TRUE(last.as_object().contains("timings"));
  EXPECT_EQ(out[4].json, "[DONE]");
}

TEST(ChatAnswerTest, ProgressOnRequest) {
  GenerationOptions options;
  options.stream = true;
  options.return_progress = true;
  const auto format = make_chat_format(kHead, options);
  AnswerFormat::Texts out;
  format->on_event(0, engine::Admitted{10, 4}, out);
  format->on_event(0, engine::PrefillProgress{3, 6}, out);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(json::parse(out[1].json).at("prompt_progress"),
            json::parse(R"({"total": 10, "cache": 4, "processed": 7})"));
}

// A character in the making has its tokens in the chunk that shows it; those of a stop string are in none.
TEST(ChatAnswerTest, LogprobsGoWithTheirText) {
  GenerationOptions options;
  options.stream = true;
  options.sampling.logprobs = 2;
  const auto stream = make_chat_format(kHead, options);
  options.stream = false;
  const auto whole = make_chat_format(kHead, options);
  AnswerFormat::Texts out;
  AnswerFormat::Texts body;
  const engine::Event events[] = {engine::Admitted{10, 4}, token("\xC3", "", true),
                                  token("\xA9", "\xC3\xA9", true), token("EN", "", true),
                                  token("D", "", true)};
  for (const engine::Event& event : events) {
    stream->on_event(0, event, out);
    whole->on_event(0, event, body);
  }
  stream->on_result(0, result("\xC3\xA9", 2), out);
  whole->on_result(0, result("\xC3\xA9", 2), body);
  whole->finish(body);
  ASSERT_EQ(out.size(), 3U);
  EXPECT_TRUE(json::parse(out[0].json).at_pointer("/choices/0/logprobs").is_null());
  const json::value content = json::parse(out[1].json).at_pointer("/choices/0/logprobs/content");
  EXPECT_EQ(content.as_array().size(), 2U);
  EXPECT_EQ(content.at_pointer("/0/bytes"), json::parse("[195]"));
  EXPECT_EQ(content.at_pointer("/0/token"), json::value("\xEF\xBF\xBD"));
  EXPECT_EQ(content.at_pointer("/1/logprob").to_number<double>(), -0.5);
  EXPECT_EQ(content.at_pointer("/1/top_logprobs/1"),
            json::parse(R"({"token": "z", "logprob": -2.0, "bytes": [122]})"));
  EXPECT_TRUE(json::parse(out[2].json).at_pointer("/choices/0/logprobs").is_null());
  EXPECT_EQ(json::parse(body.at(0).json).at_pointer("/choices/0/logprobs/content"), content);
}

TEST(ChatAnswerTest, ImpossibleTokensHaveAFiniteLogprob) {
  GenerationOptions options;
  options.sampling.logprobs = 0;
  const auto format = make_chat_format(kHead, options);
  AnswerFormat::Texts out;
  engine::TokenEvent event = token("a", "a", true);
  event.logprobs->chosen.logprob = -std::numeric_limits<float>::infinity();
  format->on_event(0, event, out);
  format->on_result(0, result("a", 1), out);
  format->finish(out);
  EXPECT_EQ(json::parse(out[0].json).at_pointer("/choices/0/logprobs/content/0/logprob").to_number<double>(),
            -9999.0);
}

TEST(ChatAnswerTest, ChoicesShareTheirPrompt) {
  GenerationOptions options;
  options.choices = 2;
  const auto format = make_chat_format(kHead, options);
  AnswerFormat::Texts out;
  format->on_result(1, result("two", 3), out);
  format->on_result(0, result("one", 1), out);
  format->finish(out);
  const json::value body = json::parse(out.at(0).json);
  EXPECT_EQ(body.at_pointer("/choices/0/message/content"), json::value("one"));
  EXPECT_EQ(body.at_pointer("/choices/1/message/content"), json::value("two"));
  EXPECT_EQ(body.at_pointer("/usage/prompt_tokens").to_number<int>(), 10);
  EXPECT_EQ(body.at_pointer("/usage/completion_tokens").to_number<int>(), 6);
}

}  // namespace
}  // namespace carat::server::openai
