#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <string_view>

#include "server/ollama/request.h"

namespace carat::server::ollama {
namespace {

namespace json = boost::json;
using prompt::Role;

json::object parse(std::string_view text) { return json::parse(text).as_object(); }

ApiResult<Request> chat(std::string_view text) { return parse_chat(parse(text), {}); }
ApiResult<Request> generate(std::string_view text) { return parse_generate(parse(text), {}); }

TEST(OllamaRequest, ReadsMessagesImagesAndOptions) {
  const auto request = chat(R"({"model": "m", "stream": false, "keep_alive": "5m", "messages": [
      {"role": "system", "content": "Be brief."},
      {"role": "user", "content": "What is it?", "images": ["aGk="]},
      {"role": "assistant", "content": "A cat."},
      {"role": "user", "content": "Sure?"}],
      "options": {"temperature": 0.5, "top_k": 7, "num_predict": 12, "seed": 3, "stop": ["x"], "num_ctx": 9,
                  "num_gpu": 0, "repeat_penalty": 1.1}})");
  ASSERT_TRUE(request.has_value()) << request.error().message;
  EXPECT_FALSE(request->options.stream);
  ASSERT_EQ(request->turns.messages.size(), 4U);
  EXPECT_EQ(request->turns.messages[0].role, Role::kSystem);
  ASSERT_EQ(request->turns.messages[1].images.size(), 1U);
  EXPECT_EQ(request->turns.messages[1].images[0].file.size(), 2U);
  EXPECT_EQ(request->turns.messages[2].text, "A cat.");
  EXPECT_FALSE(request->turns.continues_answer);
  const prompt::SamplingParams& sampling = request->options.sampling;
  EXPECT_FLOAT_EQ(sampling.temperature, 0.5F);
  EXPECT_FLOAT_EQ(sampling.repetition_penalty, 1.1F);
  EXPECT_EQ(sampling.top_k, 7);
  EXPECT_EQ(sampling.max_tokens, 12U);
  EXPECT_EQ(sampling.seed, 3U);
  EXPECT_EQ(sampling.stop, std::vector<std::string>{"x"});
}

TEST(OllamaRequest, StreamsUnlessToldOtherwise) {
  EXPECT_TRUE(chat(R"({"messages": [{"role": "user", "content": "a"}]})")->options.stream);
  EXPECT_TRUE(generate(R"({"prompt": "a", "stream": null})")->options.stream);
  EXPECT_FALSE(generate(R"({"prompt": "a", "stream": false})")->options.stream);
  // "stream" and "n" are no options.
  const auto request = generate(R"({"prompt": "a", "options": {"stream": false, "n": 5}})");
  ASSERT_TRUE(request.has_value());
  EXPECT_TRUE(request->options.stream);
  EXPECT_EQ(request->options.choices, 1U);
}

TEST(OllamaRequest, NegativePredictionCountsMeanToTheEndOfTheContext) {
  for (const char* count : {"-1", "-2"}) {
    prompt::SamplingParams defaults;
    defaults.max_tokens = 5;
    const auto request = parse_generate(
        parse(std::string(R"({"prompt": "a", "options": {"num_predict": )") + count + "}}"), defaults);
    ASSERT_TRUE(request.has_value());
    EXPECT_EQ(request->options.sampling.max_tokens, std::nullopt);
  }
}

TEST(OllamaRequest, WithoutPromptThereAreNoTurns) {
  EXPECT_TRUE(chat("{}")->turns.messages.empty());
  EXPECT_TRUE(chat(R"({"messages": []})")->turns.messages.empty());
  EXPECT_TRUE(generate(R"({"prompt": "", "keep_alive": 0})")->turns.messages.empty());
}

TEST(OllamaRequest, GenerateTakesSystemAndRawPrompts) {
  const auto plain = generate(R"({"prompt": "Why?", "system": "Be brief."})");
  ASSERT_TRUE(plain.has_value());
  ASSERT_EQ(plain->turns.messages.size(), 2U);
  EXPECT_EQ(plain->turns.messages[0].text, "Be brief.");
  EXPECT_EQ(plain->turns.messages[1].text, "Why?");
  const auto raw = generate(R"({"prompt": "<start_of_turn>user\n", "raw": true})");
  ASSERT_TRUE(raw.has_value());
  EXPECT_TRUE(raw->is_raw);
  EXPECT_EQ(raw->prompt, "<start_of_turn>user\n");
  EXPECT_TRUE(raw->turns.messages.empty());
}

TEST(OllamaRequest, AsksForNothingWithEmptyFields) {
  const auto request = generate(
      R"({"prompt": "a", "format": "", "suffix": "", "template": "", "context": [], "think": false,
          "images": [], "options": {"mirostat": 0, "typical_p": 1.0}})");
  EXPECT_TRUE(request.has_value()) << request.error().message;
  EXPECT_EQ(chat(R"({"messages": [], "format": "json"})")->options.constraint,
            prompt::Constraint(prompt::JsonObject{}));
  EXPECT_EQ(chat(R"({"messages": [], "format": {"type": "object"}})")->options.constraint,
            prompt::Constraint(prompt::JsonSchema{R"({"type":"object"})"}));
  EXPECT_TRUE(chat(R"({"messages": [], "tools": [], "format": null, "think": null})").has_value());
}

struct Refused {
  const char* body;
  const char* param;
};

TEST(OllamaRequest, RefusesByFieldInChats) {
  for (const auto& [body, param] : {
           Refused{R"({"format": "yaml"})", "format"},
           Refused{R"({"format": 1})", "format"},
           Refused{R"({"tools": [{"type": "function"}]})", "tools"},
           Refused{R"({"think": true})", "think"},
           Refused{R"({"think": "high"})", "think"},
           Refused{R"({"logprobs": true})", "logprobs"},
           Refused{R"({"stream": 1})", "stream"},
           Refused{R"({"options": []})", "options"},
           Refused{R"({"options": {"mirostat": 2}})", "options.mirostat"},
           Refused{R"({"options": {"num_predict": -3}})", "options.num_predict"},
           Refused{R"({"options": {"temperature": "hot"}})", "options.temperature"},
           Refused{R"({"messages": {}})", "messages"},
           Refused{R"({"messages": [1]})", "messages"},
           Refused{R"({"messages": [{"role": "wizard", "content": "a"}]})", "messages[0].role"},
           Refused{R"({"messages": [{"role": "user", "content": 1}]})", "messages[0].content"},
           Refused{R"({"messages": [{"role": "user", "content": "a", "images": ["!"]}]})",
                   "messages[0].images"},
           Refused{R"({"messages": [{"role": "user", "content": "a", "images": [1]}]})",
                   "messages[0].images"},
           Refused{R"({"messages": [{"role": "assistant", "content": "a", "images": ["aGk="]}]})",
                   "messages[0].images"},
       }) {
    const auto request = chat(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().param, param) << body;
    EXPECT_EQ(info(request.error().code).status, 400U) << body;
  }
}

TEST(OllamaRequest, RefusesByFieldInGenerate) {
  for (const auto& [body, param] : {
           Refused{R"({"prompt": 1})", "prompt"},
           Refused{R"({"prompt": "a", "suffix": "b"})", "suffix"},
           Refused{R"({"prompt": "a", "template": "b"})", "template"},
           Refused{R"({"prompt": "a", "context": [1]})", "context"},
           Refused{R"({"prompt": "a", "raw": true, "images": ["aGk="]})", "images"},
       }) {
    const auto request = generate(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().param, param) << body;
  }
}

}  // namespace
}  // namespace carat::server::ollama
