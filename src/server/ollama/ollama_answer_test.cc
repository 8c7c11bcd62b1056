#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <vector>

#include "server/ollama/answer.h"

namespace carat::server::ollama {
namespace {

namespace json = boost::json;

AnswerHead test_head() {
  return {.id = "", .created = 1'790'000'000, .model = "m", .fingerprint = "f", .seed = 1};
}

engine::GenerationResult test_result() {
  engine::GenerationResult result;
  result.text = "Hello";
  result.usage = {.prompt_tokens = 7,
                  .cached_tokens = 2,
                  .generated_tokens = 3,
                  .queue_seconds = 0.25,
                  .prefill_seconds = 0.5,
                  .decode_seconds = 1.0};
  return result;
}

// What a format writes for "Hel", "lo" and the result, in order.
std::vector<json::object> run(AnswerFormat& format) {
  AnswerFormat::Texts texts;
  format.on_event(0, engine::Admitted{.prompt_tokens = 7, .cached_tokens = 2}, texts);
  format.on_event(0, engine::PrefillProgress{.done = 5, .total = 5}, texts);
  format.on_event(0, engine::TokenEvent{.token = 1, .bytes = "Hel", .text = "Hel", .logprobs = {}}, texts);
  format.on_event(0, engine::TokenEvent{.token = 2, .bytes = "l", .text = "", .logprobs = {}}, texts);
  format.on_event(0, engine::TrailingText{.text = "lo"}, texts);
  format.on_result(0, test_result(), texts);
  format.finish(texts);
  std::vector<json::object> out;
  for (const AnswerText& text : texts) {
    EXPECT_TRUE(text.event.empty());
    out.push_back(json::parse(text.json).as_object());
  }
  return out;
}

void expect_counters(const json::object& last) {
  EXPECT_EQ(last.at("done"), true);
  EXPECT_EQ(last.at("done_reason"), "stop");
  EXPECT_EQ(last.at("total_duration"), 1'750'000'000);
  EXPECT_EQ(last.at("load_duration"), 0);
  EXPECT_EQ(last.at("prompt_eval_count"), 7);
  EXPECT_EQ(last.at("prompt_eval_duration"), 500'000'000);
  EXPECT_EQ(last.at("eval_count"), 3);
  EXPECT_EQ(last.at("eval_duration"), 1'000'000'000);
}

TEST(OllamaAnswer, StreamsALineForEachPieceOfText) {
  const auto format = make_format(test_head(), AnswerKind::kChat, true);
  EXPECT_EQ(format->transport(), Transport::kLines);
  const std::vector<json::object> lines = run(*format);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].at("message").at("content"), "Hel");
  EXPECT_EQ(lines[0].at("message").at("role"), "assistant");
  EXPECT_EQ(lines[0].at("done"), false);
  EXPECT_EQ(lines[0].at("created_at"), "2026-09-21T14:13:20Z");
  EXPECT_EQ(lines[1].at("message").at("content"), "lo");
  EXPECT_EQ(lines[2].at("message").at("content"), "");
  expect_counters(lines[2]);
}

TEST(OllamaAnswer, WithoutStreamAllIsInOneObject) {
  const auto format = make_format(test_head(), AnswerKind::kGenerate, false);
  EXPECT_EQ(format->transport(), Transport::kWhole);
  const std::vector<json::object> lines = run(*format);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].at("response"), "Hello");
  EXPECT_EQ(lines[0].at("model"), "m");
  expect_counters(lines[0]);
}

TEST(OllamaAnswer, SaysWhenTheLengthEndedIt) {
  engine::GenerationResult result = test_result();
  result.finish = engine::FinishReason::kLength;
  const auto format = make_format(test_head(), AnswerKind::kGenerate, true);
  AnswerFormat::Texts texts;
  format->on_result(0, result, texts);
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_EQ(json::parse(texts[0].json).at("done_reason"), "length");
}

TEST(OllamaAnswer, AnEmptyRequestIsAnsweredAtOnce) {
  const json::object answer = empty_answer(test_head(), AnswerKind::kGenerate, "load");
  EXPECT_EQ(answer.at("response"), "");
  EXPECT_EQ(answer.at("done"), true);
  EXPECT_EQ(answer.at("done_reason"), "load");
}

}  // namespace
}  // namespace carat::server::ollama
