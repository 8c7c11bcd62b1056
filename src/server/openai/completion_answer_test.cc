#include "server/openai/completion_answer.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "server/openai/completion_logprobs.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;

const AnswerHead kHead = {.id = "cmpl-1", .created = 1, .model = "m", .fingerprint = "fp", .seed = 9};

engine::Logprobs logprobs(const std::string& bytes, float logprob) {
  return {.chosen = {1, logprob, bytes}, .top = {{2, -0.25F, "best"}}};
}

engine::TokenEvent token(const std::string& bytes, float logprob) {
  return {.token = 1, .bytes = bytes, .text = bytes, .logprobs = logprobs(bytes, logprob)};
}

engine::PromptTokensEvent prompt_tokens() {
  return {.first = 0,
          .entries = {{2, "<bos>", std::nullopt},
                      {10, "h\xC3\xA9", logprobs("h\xC3\xA9", -1)},
                      {11, "llo", logprobs("llo", -2)}}};
}

engine::GenerationResult result(std::string text, std::size_t tokens) {
  engine::GenerationResult result;
  result.text = std::move(text);
  result.ids.assign(tokens, 1);
  result.usage = {.prompt_tokens = 3, .generated_tokens = tokens};
  return result;
}

TEST(CompletionAnswerTest, EchoWithLogprobsAsLmEvalReadsThem) {
  GenerationOptions options;
  options.sampling.logprobs = 1;
  const auto format =
      make_completion_format(kHead, options, 1, {{.text = "h\xC3\xA9llo", .gains_bos = true}});
  AnswerFormat::Texts out;
  format->on_event(0, engine::Admitted{3, 0}, out);
  format->on_event(0, prompt_tokens(), out);
  format->on_event(0, token("!", -3), out);
  format->on_result(0, result("!", 1), out);
  format->finish(out);
  ASSERT_EQ(out.size(), 1U);
  const json::value choice = json::parse(out[0].json).at_pointer("/choices/0");
  EXPECT_EQ(choice, json::parse(R"({"text": "héllo!", "index": 0, "finish_reason": "stop", "logprobs": {
      "tokens": ["<bos>", "hé", "llo", "!"], "token_logprobs": [null, -1.0, -2.0, -3.0],
      "top_logprobs": [null, {"best": -0.25, "hé": -1.0}, {"best": -0.25, "llo": -2.0}, {"best": -0.25, "!": -3.0}],
      "text_offset": [0, 0, 2, 5]}})"));
}

TEST(CompletionAnswerTest, NothingGenerated) {
  GenerationOptions options;
  const auto format = make_completion_format(kHead, options, 1, {{.text = "hello"}});
  AnswerFormat::Texts out;
  engine::GenerationResult nothing = result("", 0);
  nothing.finish = engine::FinishReason::kLength;
  format->on_result(0, nothing, out);
  format->finish(out);
  const json::value body = json::parse(out.at(0).json);
  EXPECT_EQ(body.at_pointer("/choices/0"), json::parse(R"({"text": "hello", "index": 0, "logprobs": null,
      "finish_reason": "length"})"));
  EXPECT_EQ(body.at("object"), json::value("text_completion"));
}

TEST(CompletionAnswerTest, ChoicesComeByIndexAndPromptsCountOnce) {
  GenerationOptions options;
  options.choices = 2;
  const auto format = make_completion_format(kHead, options, 2, {});
  AnswerFormat::Texts out;
  for (const std::size_t choice : {3U, 0U, 2U, 1U}) {
    const std::string text = std::to_string(choice);
    format->on_event(choice, engine::TokenEvent{.token = 1, .bytes = text, .text = text, .logprobs = {}},
                     out);
    format->on_result(choice, result(text, 1), out);
  }
  format->finish(out);
  const json::value body = json::parse(out.at(0).json);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ(body.at("choices").as_array()[i].at("text"), json::value(std::to_string(i)));
  EXPECT_EQ(body.at_pointer("/usage/prompt_tokens").to_number<int>(), 6);
  EXPECT_EQ(body.at_pointer("/usage/completion_tokens").to_number<int>(), 4);
}

TEST(CompletionAnswerTest, StreamKeepsCountingOffsets) {
  GenerationOptions options;
  options.stream = true;
  options.sampling.logprobs = 0;
  const auto format =
      make_completion_format(kHead, options, 1, {{.text = "h\xC3\xA9llo", .gains_bos = true}});
  AnswerFormat::Texts out;
  format->on_event(0, engine::Admitted{3, 0}, out);
  format->on_event(0, prompt_tokens(), out);
  EXPECT_TRUE(out.empty());
  format->on_event(0, token("a", -1), out);
  format->on_event(0, token("b", -1), out);
  format->on_result(0, result("ab", 2), out);
  format->finish(out);
  ASSERT_EQ(out.size(), 4U);
  EXPECT_EQ(json::parse(out[0].json).at_pointer("/choices/0/text"), json::value("h\xC3\xA9lloa"));
  EXPECT_EQ(json::parse(out[0].json).at_pointer("/choices/0/logprobs/text_offset"),
            json::parse("[0, 0, 2, 5]"));
  EXPECT_EQ(json::parse(out[1].json).at_pointer("/choices/0/logprobs/text_offset"), json::parse("[6]"));
  EXPECT_EQ(json::parse(out[2].json).at_pointer("/choices/0/finish_reason"), json::value("stop"));
  EXPECT_EQ(out[3].json, "[DONE]");
}

TEST(CompletionAnswerTest, PartsOfCharactersAreSpelledAsBytes) {
  EXPECT_EQ(completion_token("\xE2\x80"), "bytes:\\xe2\\x80");
  EXPECT_EQ(completion_token("ok"), "ok");
}

}  // namespace
}  // namespace carat::server::openai
