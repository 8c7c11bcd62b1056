#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/ollama/routes.h"
#include "server/test_server.h"

namespace carat::server::ollama {
namespace {

namespace json = boost::json;
using engine::Script;
using http::RawAnswer;
using testing::HasSubstr;

constexpr std::string_view kChat = R"({"model": "scripted", "messages": [{"role": "user", "content": "hi"}])";
constexpr std::string_view kGenerate = R"({"model": "scripted", "prompt": "hi")";

std::string with(std::string_view body, std::string_view more) { return fmt::format("{}{}}}", body, more); }

class OllamaRoutesTest : public ServerTest {
 protected:
  void add_api(http::Router& router, ServerContext& context) override { add_routes(router, context); }

  void serve_with_facts() {
    serve(Script());
    auto model = scripted_model();
    model->facts = {.bytes = 123,
                    .modified = 1'600'000'000,
                    .digest = std::string(64, 'a'),
                    .format = "gguf",
                    .precision = "Q4_K_M",
                    .parameters = 268'098'176};
    set_model(model);
  }

  // The message of {"error": message}, which has nothing beside it.
  static std::string error_of(const RawAnswer& answer) {
    const json::value body = json_of(answer);
    EXPECT_EQ(body.as_object().size(), 1U) << answer.body;
    return std::string(body.at("error").as_string());
  }
};

TEST_F(OllamaRoutesTest, SaysThatItRuns) {
  serve(Script());
  const RawAnswer answer = ask("GET", "/");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.body, "Ollama is running");
  EXPECT_THAT(answer.header("content-type"), HasSubstr("text/plain"));
  http::RawClient client(server_->port());
  client.send("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string head = client.read_to_end();
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200")) << head;
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  EXPECT_EQ(json_of(ask("GET", "/api/version")), json::parse(R"({"version": "1.2.3"})"));
}

TEST_F(OllamaRoutesTest, ListsEveryName) {
  serve_with_facts();
  for (const char* path : {"/api/tags", "/api/ps"}) {
    const auto models = json_of(ask("GET", path)).at("models").as_array();
    ASSERT_EQ(models.size(), 2U) << path;
    EXPECT_EQ(models[0].at("name"), "scripted");
    EXPECT_EQ(models[1].at("model"), "gpt-4o");
    for (const json::value& model : models) {
      EXPECT_EQ(model.at("size"), 123);
      EXPECT_EQ(model.at("digest"), json::value(std::string(64, 'a')));
      EXPECT_EQ(model.at_pointer("/details/parameter_size"), "268.10M");
      EXPECT_EQ(model.at_pointer("/details/quantization_level"), "Q4_K_M");
      EXPECT_EQ(model.at_pointer("/details/families"), json::array{"gemma3"});
    }
  }
  EXPECT_EQ(json_of(ask("GET", "/api/tags")).at_pointer("/models/0/modified_at"), "2020-09-13T12:26:40Z");
  EXPECT_EQ(json_of(ask("GET", "/api/ps")).at_pointer("/models/0/context_length"),
            engine_->capabilities().context_length);
}

TEST_F(OllamaRoutesTest, BeforeTheModelIsThereListsAreEmpty) {
  serve([](const prompt::GenerationRequest&) { return Script(); }, {}, /*has_model=*/false);
  EXPECT_EQ(json_of(ask("GET", "/api/tags")), json::parse(R"({"models": []})"));
  const RawAnswer early = ask("POST", "/api/chat", with(kChat, ""));
  EXPECT_EQ(early.status, 503U);
  EXPECT_THAT(error_of(early), HasSubstr("loaded"));
}

TEST_F(OllamaRoutesTest, ShowsTheModelByAnyOfItsNames) {
  serve_with_facts();
  for (const char* body :
       {R"({"model": "scripted"})", R"({"model": "scripted:latest"})", R"({"name": "scripted"})",
        R"({"model": "", "name": "gpt-4o"})", R"({"model": "gpt-4o:latest"})"}) {
    const RawAnswer answer = ask("POST", "/api/show", body);
    EXPECT_EQ(answer.status, 200U) << body;
    const json::value shown = json_of(answer);
    EXPECT_EQ(shown.at_pointer("/details/format"), "gguf");
    EXPECT_EQ(shown.at_pointer("/model_info/general.parameter_count"), 268'098'176);
    EXPECT_EQ(shown.at("capabilities"), json::parse(R"(["completion", "vision"])"));
  }
}

TEST_F(OllamaRoutesTest, NamesTheModelThatIsNotThere) {
  serve(Script());
  for (const char* path : {"/api/show", "/api/chat", "/api/generate"}) {
    const RawAnswer answer = ask("POST", path, R"({"model": "x"})");
    EXPECT_EQ(answer.status, 404U) << path;
    EXPECT_EQ(error_of(answer), "model 'x' not found");
    EXPECT_EQ(ask("POST", path, R"({"model": "x:latest"})").status, 404U) << path;
    EXPECT_EQ(ask("POST", path, "{}").status, 400U) << path;
  }
  // A name is cut in the error, but never within a character: two bytes each here, after one.
  std::string name = "a";
  for (int i = 0; i < 200; ++i) name += "\u00e9";
  const RawAnswer answer = ask("POST", "/api/show", fmt::format(R"({{"model": "{}"}})", name));
  EXPECT_EQ(answer.status, 404U);
  EXPECT_THAT(error_of(answer), HasSubstr("not found"));
  EXPECT_LT(answer.body.size(), 320U);
}

TEST_F(OllamaRoutesTest, StreamsLinesUnlessToldOtherwise) {
  serve(Script());
  struct Api {
    const char* path;
    std::string_view body;
    const char* text;  // where it is
  };
  for (const auto& [path, body, text_at] :
       {Api{"/api/chat", kChat, "/message/content"}, Api{"/api/generate", kGenerate, "/response"}}) {
    const RawAnswer answer = ask("POST", path, with(body, ""));
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.header("content-type"), "application/x-ndjson");
    const auto lines = lines_with(answer.body, "");
    ASSERT_EQ(lines.size(), 5U) << answer.body;  // four texts and the counters
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const json::value line = json::parse(lines[i]);
      EXPECT_EQ(line.at("model"), "scripted");
      EXPECT_EQ(line.at("created_at"), "2023-11-14T22:13:20Z");
      EXPECT_EQ(line.at("done"), i == 4);
      text += line.at_pointer(text_at).as_string();
    }
    EXPECT_EQ(text, "Hello, world!");
    const json::value last = json::parse(lines.back());
    EXPECT_EQ(last.at("done_reason"), "stop");
    EXPECT_EQ(last.at("prompt_eval_count"), 7);
    EXPECT_EQ(last.at("eval_count"), 4);
    EXPECT_TRUE(last.at("total_duration").is_int64());

    const RawAnswer whole = ask("POST", path, with(body, R"(, "stream": false)"));
    EXPECT_EQ(whole.header("content-type"), "application/json");
    EXPECT_EQ(json_of(whole).at_pointer(text_at), "Hello, world!");
    EXPECT_EQ(json_of(whole).at("done"), true);
    EXPECT_EQ(json_of(whole).at("eval_count"), 4);
  }
}

TEST_F(OllamaRoutesTest, OptionsReachTheEngine) {
  serve(Script());
  const RawAnswer answer =
      ask("POST", "/api/chat",
          with(kChat, R"(, "stream": false, "keep_alive": "5m", "options": {"num_predict": 2, "seed": 9,
               "temperature": 0.5, "top_k": 3, "num_ctx": 16, "num_gpu": 1, "stop": ["x"]})"));
  ASSERT_EQ(answer.status, 200U) << answer.body;
  EXPECT_EQ(json_of(answer).at("done_reason"), "length");
  EXPECT_EQ(json_of(answer).at_pointer("/message/content"), "Hello, ");
  const auto seen = engine_->requests();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].sampling.max_tokens, 2U);
  EXPECT_EQ(seen[0].sampling.seed, 9U);
  EXPECT_EQ(seen[0].sampling.top_k, 3);
  EXPECT_EQ(seen[0].sampling.stop, std::vector<std::string>{"x"});
}

TEST_F(OllamaRoutesTest, RawPromptsGoToTheModelAsTheyAre) {
  serve(Script());
  ask("POST", "/api/generate", R"({"model": "scripted", "prompt": "<start_of_turn>a", "raw": true})");
  const auto seen = engine_->requests();
  ASSERT_EQ(seen.size(), 1U);
  ASSERT_EQ(seen[0].prompt.size(), 1U);
  EXPECT_EQ(std::get<prompt::Markup>(seen[0].prompt[0]).text, "<start_of_turn>a");
}

TEST_F(OllamaRoutesTest, WithoutPromptTheModelIsLoaded) {
  serve(Script());
  const RawAnswer generate = ask("POST", "/api/generate", R"({"model": "scripted"})");
  EXPECT_EQ(generate.status, 200U);
  EXPECT_EQ(json_of(generate), json::parse(R"({"model": "scripted", "created_at": "2023-11-14T22:13:20Z",
                                               "response": "", "done": true, "done_reason": "load"})"));
  const RawAnswer chat = ask("POST", "/api/chat", R"({"model": "scripted", "messages": []})");
  EXPECT_EQ(json_of(chat).at("done_reason"), "load");
  EXPECT_EQ(json_of(chat).at_pointer("/message/role"), "assistant");
  EXPECT_TRUE(engine_->requests().empty());
}

TEST_F(OllamaRoutesTest, TooLongHasBothNumbers) {
  Script script;
  script.refusal = Error{ErrorKind::kContextExceeded, "too long"};
  script.prompt_tokens = 5000;
  serve(script);
  for (const char* more : {"", R"(, "stream": false)"}) {
    const RawAnswer answer = ask("POST", "/api/chat", with(kChat, more));
    EXPECT_EQ(answer.status, 400U);
    EXPECT_THAT(error_of(answer), HasSubstr("4096"));
    EXPECT_THAT(error_of(answer), HasSubstr("5000"));
  }
}

TEST_F(OllamaRoutesTest, ErrorsAreOneMessage) {
  serve_with_keys("first-key-of-20-bytes\n");
  const RawAnswer closed = ask("POST", "/api/chat", with(kChat, ""));
  EXPECT_EQ(closed.status, 401U);
  EXPECT_THAT(error_of(closed), HasSubstr("API key"));
  const auto with_key = [&](std::string_view method, std::string_view path, std::string_view body) {
    return ask(method, path, body, "Authorization: Bearer first-key-of-20-bytes\r\n");
  };
  EXPECT_EQ(with_key("POST", "/api/chat", with(kChat, "")).status, 200U);
  for (const std::string_view body : std::to_array<std::string_view>({"", "{", "[]"})) {
    const RawAnswer answer = with_key("POST", "/api/generate", body);
    EXPECT_EQ(answer.status, 400U) << body;
    EXPECT_FALSE(error_of(answer).empty());
  }
  const RawAnswer format = with_key("POST", "/api/chat", with(kChat, R"(, "format": "yaml")"));
  EXPECT_EQ(format.status, 400U);
  EXPECT_THAT(error_of(format), HasSubstr("format"));
  const RawAnswer method = with_key("GET", "/api/chat", "");
  EXPECT_EQ(method.status, 405U);
  EXPECT_FALSE(error_of(method).empty());
}

TEST_F(OllamaRoutesTest, SaysWhatIsNotHere) {
  serve(Script());
  for (const char* path : {"/api/pull", "/api/embed", "/api/embeddings", "/api/push", "/api/create",
                           "/api/copy", "/api/blobs/sha256:0", "/api/else"}) {
    const RawAnswer answer = ask("POST", path, "{}");
    EXPECT_EQ(answer.status, 404U) << path;
    EXPECT_FALSE(error_of(answer).empty()) << path;
  }
  EXPECT_EQ(ask("DELETE", "/api/delete", "{}").status, 404U);
}

TEST_F(OllamaRoutesTest, AFailureAfterTheFirstTokenIsTheLastLine) {
  Script script;
  script.error = Error{ErrorKind::kFailed, "/secret/path broke"};
  serve(script);
  const auto lines = lines_with(ask("POST", "/api/chat", with(kChat, "")).body, "");
  ASSERT_EQ(lines.size(), 5U);
  const json::value last = json::parse(lines.back());
  EXPECT_EQ(last.as_object().size(), 1U);
  EXPECT_EQ(last.at("error").as_string().find("secret"), json::string::npos);
  EXPECT_EQ(ask("POST", "/api/chat", with(kChat, R"(, "stream": false)")).status, 500U);
}

}  // namespace
}  // namespace carat::server::ollama
