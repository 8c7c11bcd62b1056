#include "server/openai/routes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <future>
#include <thread>

#include "server/test_server.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using engine::Script;
using http::RawAnswer;
using http::RawClient;

constexpr std::string_view kChat = R"({"messages": [{"role": "user", "content": "hi"}])";

std::string chat_body(std::string_view more = "") { return fmt::format("{}{}}}", kChat, more); }

class RoutesTest : public ServerTest {
 protected:
  void add_api(http::Router& router, ServerContext& context) override { add_routes(router, context); }

  static std::string code_of(const RawAnswer& answer) {
    return std::string(json_of(answer).at_pointer("/error/code").as_string());
  }
};

// The texts of a stream's data lines.
std::vector<std::string> events_of(std::string_view body) { return lines_with(body, "data: "); }

TEST_F(RoutesTest, AnswersAChatWithAndWithoutV1) {
  serve(Script());
  for (const char* path : {"/v1/chat/completions", "/chat/completions"}) {
    const RawAnswer answer = ask("POST", path, chat_body());
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.header("content-type"), "application/json");
    EXPECT_FALSE(answer.header("x-request-id").empty());
    const json::value body = json::parse(answer.body);
    EXPECT_EQ(body.at_pointer("/choices/0/message/content"), json::value("Hello, world!"));
    EXPECT_EQ(body.at("model"), json::value("scripted"));
    EXPECT_EQ(body.at("system_fingerprint"), json::value("fp_test"));
    EXPECT_TRUE(body.at("seed").is_number());
  }
}

TEST_F(RoutesTest, StreamsAChat) {
  serve(Script());
  const RawAnswer answer = ask("POST", "/v1/chat/completions",
                               chat_body(R"(, "stream": true, "stream_options": {"include_usage": true})"));
  EXPECT_EQ(answer.status, 200U);
  EXPECT_TRUE(answer.header("content-type").starts_with("text/event-stream"));
  EXPECT_EQ(answer.header("cache-control"), "no-store");
  const auto events = events_of(answer.body);
  ASSERT_EQ(events.size(), 8U);  // role, four texts, finish, usage, [DONE]
  EXPECT_EQ(events.back(), "[DONE]");
  std::string text;
  for (std::size_t i = 1; i < 5; ++i)
    text += json::parse(events[i]).at_pointer("/choices/0/delta/content").as_string();
  EXPECT_EQ(text, "Hello, world!");
}

TEST_F(RoutesTest, ChoicesHaveTheSeedsThatFollow) {
  serve(Script());
  const RawAnswer answer = ask("POST", "/v1/chat/completions", chat_body(R"(, "n": 3, "seed": 40)"));
  EXPECT_EQ(json::parse(answer.body).at("choices").as_array().size(), 3U);
  EXPECT_EQ(json::parse(answer.body).at("seed").to_number<int>(), 40);
  std::vector<std::uint64_t> seeds;
  for (const auto& seen : engine_->requests()) seeds.push_back(seen.sampling.seed.value_or(0));
  std::ranges::sort(seeds);
  EXPECT_EQ(seeds, (std::vector<std::uint64_t>{40, 41, 42}));
}

TEST_F(RoutesTest, CompletesManyPrompts) {
  serve([](const prompt::GenerationRequest& request) {
    Script script;
    script.tokens = {std::get<prompt::Markup>(request.prompt.at(0)).text, "!"};
    return script;
  });
  std::string prompts;
  for (int i = 0; i < 40; ++i) prompts += fmt::format("{}\"p{}\"", i == 0 ? "" : ",", i);
  const RawAnswer answer = ask("POST", "/v1/completions", fmt::format("{{\"prompt\": [{}]}}", prompts));
  ASSERT_EQ(answer.status, 200U);
  const auto choices = json::parse(answer.body).at("choices").as_array();
  ASSERT_EQ(choices.size(), 40U);
  for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(choices[i].at("text"), json::value(fmt::format("p{}!", i)));
}

TEST_F(RoutesTest, IdPromptsGainNoBos) {
  serve(Script());
  ask("POST", "/v1/completions", R"({"prompt": [5, 6], "max_tokens": 1})");
  ask("POST", "/v1/completions", R"({"prompt": "a", "max_tokens": 1})");
  const auto seen = engine_->requests();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_FALSE(seen[0].one_bos);
  EXPECT_TRUE(seen[1].one_bos);
}

TEST_F(RoutesTest, ListsModels) {
  serve(Script());
  const json::value body = json::parse(ask("GET", "/v1/models").body);
  EXPECT_EQ(body.at_pointer("/data/0/id"), json::value("scripted"));
  EXPECT_EQ(body.at_pointer("/data/1/id"), json::value("gpt-4o"));
  EXPECT_TRUE(body.at_pointer("/data/0/max_model_len").is_number());
  EXPECT_EQ(ask("GET", "/v1/models/gpt-4o").status, 200U);
  EXPECT_EQ(ask("HEAD", "/v1/models").status, 200U);
  const RawAnswer unknown = ask("GET", "/v1/models/other");
  EXPECT_EQ(unknown.status, 404U);
  EXPECT_EQ(code_of(unknown), "model_not_found");
  const RawAnswer asked = ask("POST", "/v1/chat/completions", chat_body(R"(, "model": "other")"));
  EXPECT_EQ(asked.status, 404U);
  EXPECT_EQ(json::parse(asked.body).at_pointer("/error/param"), json::value("model"));
  const RawAnswer alias = ask("POST", "/v1/chat/completions", chat_body(R"(, "model": "gpt-4o")"));
  EXPECT_EQ(json::parse(alias.body).at("model"), json::value("gpt-4o"));
}

TEST_F(RoutesTest, CountsProperties) {
  serve(Script());
  EXPECT_EQ(json::parse(ask("GET", "/version").body), json::parse(R"({"version": "1.2.3"})"));
  EXPECT_TRUE(
      json::parse(ask("GET", "/props").body).at_pointer("/default_generation_settings/n_ctx").is_number());
  const RawAnswer count = ask("POST", "/v1/chat/completions/input_tokens", chat_body());
  EXPECT_EQ(count.status, 200U);
  EXPECT_TRUE(json::parse(count.body).at("input_tokens").is_number());
  // This engine has no tokenizer.
  EXPECT_EQ(code_of(ask("POST", "/tokenize", R"({"content": "a"})")), "unsupported_feature");
}

TEST_F(RoutesTest, RefusesWhatItDoesNotUnderstand) {
  serve(Script());
  const RawAnswer method = ask("DELETE", "/v1/models");
  EXPECT_EQ(method.status, 405U);
  EXPECT_NE(method.header("allow").find("GET"), std::string::npos);
  EXPECT_EQ(code_of(ask("GET", "/v1/nothing")), "not_found");
  EXPECT_EQ(code_of(ask("POST", "/v1/embeddings", "{}")), "unsupported_feature");
  const RawAnswer encoded = ask("POST", "/v1/chat/completions", "x", "Content-Encoding: gzip\r\n");
  EXPECT_EQ(encoded.status, 415U);
  EXPECT_EQ(code_of(encoded), "unsupported_media_type");
  for (const char* body : {"", "{", "[]", "5", "{\"a\": 1, \"a\": 2}", "{\"messages\": []}"}) {
    const RawAnswer answer = ask("POST", "/v1/chat/completions", body);
    EXPECT_EQ(answer.status, 400U) << body;
  }
  EXPECT_EQ(ask("OPTIONS", "/v1/models").status / 100, 2U);
}

TEST_F(RoutesTest, AnEngineThatIsFullIsAProperStatus) {
  Script script;
  script.refusal = Error{ErrorKind::kOverloaded, "full"};
  serve(script);
  for (const char* more : {"", R"(, "stream": true)"}) {
    const RawAnswer answer = ask("POST", "/v1/chat/completions", chat_body(more));
    EXPECT_EQ(answer.status, 503U);
    EXPECT_EQ(answer.header("retry-after"), "1");
    EXPECT_EQ(code_of(answer), "overloaded");
  }
}

TEST_F(RoutesTest, TooLongHasBothNumbers) {
  Script script;
  script.refusal = Error{ErrorKind::kContextExceeded, "too long"};
  serve(script);
  const RawAnswer answer = ask("POST", "/v1/chat/completions", chat_body(R"(, "stream": true)"));
  EXPECT_EQ(answer.status, 400U);
  EXPECT_EQ(code_of(answer), "context_length_exceeded");
  EXPECT_TRUE(json::parse(answer.body).at_pointer("/error/n_ctx").is_number());
}

TEST_F(RoutesTest, AFailureAfterTheFirstTokenIsToldInTheStream) {
  Script script;
  script.error = Error{ErrorKind::kFailed, "/secret/path broke"};
  serve(script);
  const RawAnswer stream = ask("POST", "/v1/chat/completions", chat_body(R"(, "stream": true)"));
  EXPECT_EQ(stream.status, 200U);
  const auto events = events_of(stream.body);
  EXPECT_EQ(json::parse(events.back()).at_pointer("/error/code"), json::value("internal_error"));
  EXPECT_EQ(stream.body.find("secret"), std::string::npos);
  const RawAnswer whole = ask("POST", "/v1/chat/completions", chat_body());
  EXPECT_EQ(whole.status, 500U);
  EXPECT_EQ(whole.body.find("secret"), std::string::npos);
}

TEST_F(RoutesTest, AClientThatIsGoneFreesItsPlace) {
  Script script;
  script.between_tokens = Script::kNever;
  serve(script);
  for (const char* more : {R"(, "stream": true)", ""}) {
    const std::uint64_t before = engine_->status().finished;
    RawClient client(server_->port());
    client.send(request("POST", "/v1/chat/completions", chat_body(more)));
    while (engine_->status().running == 0) std::this_thread::yield();
    client.reset();
    while (engine_->status().finished == before || engine_->status().running > 0) std::this_thread::yield();
  }
}

TEST_F(RoutesTest, EightAtOnce) {
  serve(Script());
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 8; ++i) {
    answers.push_back(std::async(std::launch::async, [this, i] {
      return ask("POST", "/v1/chat/completions", chat_body(i % 2 == 0 ? "" : R"(, "stream": true)")).body;
    }));
  }
  for (int i = 0; i < 8; ++i) {
    const std::string body = answers[static_cast<std::size_t>(i)].get();
    EXPECT_NE(body.find(i % 2 == 0 ? "Hello, world!" : "[DONE]"), std::string::npos);
  }
}

TEST_F(RoutesTest, KeysSeparateOwners) {
  serve_with_keys("first-key-of-20-bytes\nsecond-key-of-21-bytes\n");
  EXPECT_EQ(ask("POST", "/v1/chat/completions", chat_body()).status, 401U);
  EXPECT_EQ(ask("GET", "/health").status, 200U);
  for (const char* key : {"first-key-of-20-bytes", "second-key-of-21-bytes"})
    EXPECT_EQ(
        ask("POST", "/v1/chat/completions", chat_body(), fmt::format("Authorization: Bearer {}\r\n", key))
            .status,
        200U);
  const auto seen = engine_->requests();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_FALSE(seen[0].owner.empty());
  EXPECT_NE(seen[0].owner, seen[1].owner);
}

TEST_F(RoutesTest, IsReadyOnlyWithAModelAndBeforeTheEnd) {
  serve([](const prompt::GenerationRequest&) { return Script(); }, {}, /*has_model=*/false);
  EXPECT_EQ(ask("GET", "/ready").status, 503U);
  EXPECT_EQ(ask("GET", "/health").status, 200U);
  const RawAnswer early = ask("POST", "/v1/chat/completions", chat_body());
  EXPECT_EQ(early.status, 503U);
  EXPECT_EQ(code_of(early), "model_loading");
  set_model(scripted_model());
  EXPECT_EQ(ask("GET", "/v1/ready").status, 200U);
  context_->health.drain();
  EXPECT_EQ(ask("GET", "/ready").status, 503U);
}

// Says that it has worked at one step since the beginning of time.
class StuckEngine final : public engine::Engine {
 public:
  Result<> submit(prompt::GenerationRequest, std::shared_ptr<engine::Receiver>,
                  const std::stop_token&) override {
    return fail(ErrorKind::kOverloaded, "stuck");
  }
  Result<std::size_t> count_tokens(const prompt::GenerationRequest&) override {
    return fail(ErrorKind::kOverloaded, "stuck");
  }
  engine::Capabilities capabilities() const override { return {}; }
  engine::EngineStatus status() const override {
    engine::EngineStatus status;
    status.working_since = std::chrono::nanoseconds(1);
    return status;
  }
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer() const override { return nullptr; }
};

TEST_F(RoutesTest, AHangingEngineIsNotHealthy) {
  serve(Script());
  auto model = std::make_shared<ServedModel>();
  model->id = "stuck";
  model->engine = std::make_shared<StuckEngine>();
  set_model(model);
  engine_->advance(std::chrono::seconds(100));
  const RawAnswer slow = ask("GET", "/health");
  EXPECT_EQ(slow.status, 200U);
  EXPECT_EQ(json::parse(slow.body), json::parse(R"({"status": "ok", "step_age_ms": 99999})"));
  engine_->advance(std::chrono::seconds(100));
  EXPECT_EQ(ask("GET", "/v1/health").status, 503U);
}

TEST_F(RoutesTest, DrainingCutsWhatDoesNotEnd) {
  Script script;
  script.between_tokens = Script::kNever;
  serve(script);
  RawClient client(server_->port());
  client.send(request("POST", "/v1/chat/completions", chat_body(R"(, "stream": true)")));
  while (engine_->status().running == 0) std::this_thread::yield();
  server_->drain(std::chrono::milliseconds(0));
  const std::string rest = client.read_to_end();
  EXPECT_EQ(rest.find("[DONE]"), std::string::npos);
  while (engine_->status().running > 0) std::this_thread::yield();
}

}  // namespace
}  // namespace carat::server::openai
