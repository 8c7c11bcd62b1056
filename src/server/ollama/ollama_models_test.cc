#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/ollama/routes.h"
#include "server/test_models_server.h"

namespace carat::server::ollama {
namespace {

namespace json = boost::json;
using http::RawAnswer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class OllamaModelsTest : public ModelsServerTest {
 protected:
  void add_api(http::Router& router, ServerContext& context) override { add_routes(router, context); }

  json::value post(const char* path, const std::string& body) { return json_of(ask("POST", path, body)); }
  std::vector<std::string> names(const char* path, const char* list, const char* name) {
    std::vector<std::string> found;
    const json::value body = json_of(ask("GET", path));
    for (const json::value& row : body.at(list).as_array()) found.emplace_back(row.at(name).as_string());
    return found;
  }
  std::vector<std::string> running() { return names("/api/ps", "models", "name"); }
};

TEST_F(OllamaModelsTest, ListsWhatCanBeLoadedAndWhatIs) {
  EXPECT_THAT(names("/api/tags", "models", "name"), ElementsAre("a", "b", "gpt"));
  EXPECT_THAT(running(), IsEmpty());
  EXPECT_EQ(ask("GET", "/ready").status, 200U);
  EXPECT_EQ(ask("GET", "/health").status, 200U);
  EXPECT_EQ(post("/api/generate", R"({"model": "b"})").at("done_reason"), "load");
  EXPECT_THAT(running(), ElementsAre("b", "gpt"));
}

TEST_F(OllamaModelsTest, ShowsWithoutLoading) {
  const json::value shown = post("/api/show", R"({"model": "a:latest"})");
  EXPECT_EQ(shown.at_pointer("/model_info/gemma3.context_length"), 2048);
  EXPECT_EQ(shown.at_pointer("/details/quantization_level"), "Q4_0");
  EXPECT_THAT(source_->loads(), IsEmpty());
}

TEST_F(OllamaModelsTest, AnswersWithTheModelThatIsAskedFor) {
  const std::string chat = R"(, "stream": false, "messages": [{"role": "user", "content": "hi"}]})";
  EXPECT_EQ(post("/api/chat", R"({"model": "a")" + chat).at("model"), "a");
  EXPECT_EQ(post("/api/chat", R"({"model": "gpt")" + chat).at("model"), "gpt");
  EXPECT_THAT(source_->loads(), ElementsAre("a", "b"));
  EXPECT_EQ(source_->most_alive(), 1);
  EXPECT_EQ(ask("POST", "/api/chat", R"({"model": "c")" + chat).status, 404U);
}

TEST_F(OllamaModelsTest, KeepAliveLoadsAndUnloads) {
  EXPECT_EQ(post("/api/generate", R"({"model": "a", "keep_alive": "1h"})").at("done_reason"), "load");
  EXPECT_EQ(json_of(ask("GET", "/api/ps")).at_pointer("/models/0/expires_at"), "2023-11-14T23:13:20Z");
  EXPECT_EQ(post("/api/generate", R"({"model": "a", "keep_alive": -1})").at("done_reason"), "load");
  EXPECT_EQ(json_of(ask("GET", "/api/ps")).at_pointer("/models/0/expires_at"), "9999-12-31T23:59:59Z");
  EXPECT_EQ(post("/api/chat", R"({"model": "a", "messages": [], "keep_alive": 0})").at("done_reason"),
            "unload");
  source_->wait_for_alive(0);
  EXPECT_THAT(running(), IsEmpty());
  EXPECT_EQ(post("/api/generate", R"({"model": "a", "keep_alive": 0})").at("done_reason"), "unload");
  EXPECT_THAT(source_->loads(), ElementsAre("a"));
  for (const char* wrong : {"true", R"("soon")"}) {
    const RawAnswer answer =
        ask("POST", "/api/generate", std::string(R"({"model": "a", "keep_alive": )") + wrong + "}");
    EXPECT_EQ(answer.status, 400U) << wrong;
    EXPECT_THAT(answer.body, HasSubstr("keep_alive"));
  }
  EXPECT_EQ(ask("POST", "/api/generate", R"({"model": "c", "keep_alive": 0})").status, 404U);
}

TEST_F(OllamaModelsTest, WhatCannotFitIsAnErrorWithTheNumbers) {
  source_->add("large", std::uint64_t{3} << 30);
  const RawAnswer answer = ask("POST", "/api/generate", R"({"model": "large"})");
  EXPECT_EQ(answer.status, 400U);
  EXPECT_THAT(answer.body, HasSubstr("3.00 GiB"));
}

TEST_F(OllamaModelsTest, OthersAreAnsweredWhileOneLoads) {
  source_->add("small", 10);
  ASSERT_EQ(ask("POST", "/api/generate", R"({"model": "small"})").status, 200U);
  source_->hold("a");
  http::RawClient waiting(server_->port());
  waiting.send(request("POST", "/api/generate", R"({"model": "a"})"));
  source_->wait_for_load("a");
  EXPECT_EQ(post("/api/generate", R"({"model": "small", "prompt": "hi", "stream": false})").at("response"),
            "Hello, world!");
  source_->release("a");
  const auto answer = waiting.read_answer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(json_of(*answer).at("done_reason"), "load");
}

}  // namespace
}  // namespace carat::server::ollama
