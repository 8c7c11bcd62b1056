#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <string>

#include "server/openai/routes.h"
#include "server/test_models_server.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using http::RawAnswer;
using testing::ElementsAre;

class ModelRoutesTest : public ModelsServerTest {
 protected:
  void add_api(http::Router& router, ServerContext& context) override { add_routes(router, context); }

  RawAnswer chat(const std::string& model) {
    const std::string name = model.empty() ? "" : R"("model": ")" + model + R"(", )";
    return ask("POST", "/v1/chat/completions",
               "{" + name + R"("messages": [{"role": "user", "content": "hi"}]})");
  }
};

TEST_F(ModelRoutesTest, AnswersWithTheModelThatIsAskedFor) {
  EXPECT_EQ(json_of(chat("a")).at("model"), "a");
  EXPECT_EQ(json_of(chat("gpt")).at("model"), "gpt");
  EXPECT_THAT(source_->loads(), ElementsAre("a", "b"));
  EXPECT_EQ(source_->most_alive(), 1);
  const RawAnswer unknown = chat("c");
  EXPECT_EQ(unknown.status, 404U);
  EXPECT_EQ(json_of(unknown).at_pointer("/error/code"), "model_not_found");
  const RawAnswer unnamed = chat("");
  EXPECT_EQ(unnamed.status, 400U);
  EXPECT_EQ(json_of(unnamed).at_pointer("/error/param"), "model");
}

TEST_F(ModelRoutesTest, ListsWhatIsLoadedAndWhatCanBe) {
  ASSERT_EQ(chat("b").status, 200U);
  const json::value models = json_of(ask("GET", "/v1/models"));
  ASSERT_EQ(models.at("data").as_array().size(), 3U);
  EXPECT_EQ(models.at_pointer("/data/0/id"), "b");
  EXPECT_EQ(models.at_pointer("/data/0/status/value"), "loaded");
  EXPECT_EQ(models.at_pointer("/data/0/max_model_len"), 4096);
  EXPECT_EQ(models.at_pointer("/data/1/id"), "gpt");
  EXPECT_EQ(models.at_pointer("/data/2/id"), "a");
  EXPECT_EQ(models.at_pointer("/data/2/status/value"), "unloaded");
  EXPECT_EQ(models.at_pointer("/data/2/max_model_len"), 2048);
  EXPECT_EQ(json_of(ask("GET", "/v1/models/a")).at("max_model_len"), 2048);
  EXPECT_EQ(json_of(ask("GET", "/v1/models/gpt")).at("id"), "gpt");
  EXPECT_EQ(ask("GET", "/v1/models/c").status, 404U);
  EXPECT_THAT(source_->loads(), ElementsAre("b"));
}

TEST_F(ModelRoutesTest, IsReadyWithoutAnyModel) {
  EXPECT_EQ(ask("GET", "/ready").status, 200U);
  EXPECT_EQ(ask("GET", "/health").status, 200U);
}

}  // namespace
}  // namespace carat::server::openai
