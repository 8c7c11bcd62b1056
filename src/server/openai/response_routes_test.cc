#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/test_files.h"
#include "server/openai/routes.h"
#include "server/test_server.h"
#include "store/test_store.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using engine::Script;
using prompt::GenerationRequest;
using testing::ElementsAre;
using testing::HasSubstr;

// A store in a file, behind the routes.
class ResponseRoutesTest : public ServerTest {
 protected:
  void add_api(http::Router& router, ServerContext& context) override {
    if (has_store_) {
      auto opened = open_sqlite_store(folder_.path("carat.db"), clock_, system_random_bytes, store_options_);
      ASSERT_TRUE(opened) << opened.error().message;
      context.store = std::make_unique<store::StoreThread>(std::move(*opened));
    }
    clock_.time = WallTime(std::chrono::seconds(1'700'000'000));
    context.response_lifetime = std::chrono::hours(1);
    add_routes(router, context);
  }

  json::object post(std::string_view body, unsigned status = 200) {
    const http::RawAnswer answer = ask("POST", "/v1/responses", body);
    EXPECT_EQ(answer.status, status) << answer.body;
    return json_of(answer).as_object();
  }
  json::object get(std::string_view id, unsigned status = 200, std::string_view headers = "") {
    const http::RawAnswer answer = ask("GET", fmt::format("/v1/responses/{}", id), "", headers);
    EXPECT_EQ(answer.status, status) << answer.body;
    return json_of(answer).as_object();
  }
  static std::string id_of(const json::object& response) {
    return std::string(response.at("id").as_string());
  }
  static std::string text_of(const json::object& response) {
    const json::value& item = response.at("output").at(0);
    return std::string(item.at("content").at(0).at("text").as_string());
  }
  std::vector<std::string> texts_of_last_prompt() const {
    std::vector<std::string> texts;
    const GenerationRequest last = engine_->requests().back();
    for (const prompt::Message& message : last.messages) texts.push_back(message.text);
    return texts;
  }
  // Ends the server as a process would, and begins another over the same file.
  void restart(const Script& script) {
    server_.reset();
    engine_.reset();
    context_.reset();
    serve(script);
  }
  template <class Condition>
  json::object get_until(std::string_view id, Condition holds) {
    while (true) {
      json::object response = get(id);
      if (holds(response)) return response;
    }
  }

  formats::TestFolder folder_;
  TestWallClock clock_;
  store::SqliteStoreOptions store_options_;
  bool has_store_ = true;
};

TEST_F(ResponseRoutesTest, AnswersAndRemembers) {
  serve(Script{.cached_tokens = 2});
  const json::object made = post(R"({"input": "hi", "instructions": "be kind", "metadata": {"a": "b"}})");
  EXPECT_EQ(made.at("object").as_string(), "response");
  EXPECT_EQ(made.at("status").as_string(), "completed");
  EXPECT_EQ(text_of(made), "Hello, world!");
  EXPECT_EQ(json::serialize(made.at("usage")),
            R"({"input_tokens":7,"input_tokens_details":{"cached_tokens":2},"output_tokens":4,)"
            R"("output_tokens_details":{"reasoning_tokens":0},"total_tokens":11})");
  EXPECT_EQ(json::serialize(made.at("metadata")), R"({"a":"b"})");
  EXPECT_EQ(made.at("store").as_bool(), true);
  EXPECT_EQ(json::serialize(get(id_of(made))), json::serialize(made));
  // It is there after a restart too.
  restart({});
  EXPECT_EQ(json::serialize(get(id_of(made))), json::serialize(made));
}

TEST_F(ResponseRoutesTest, GoesOnFromAnEarlierOneWithoutItsInstructions) {
  serve(Script{});
  const std::string first = id_of(post(R"({"input": "one", "instructions": "be kind"})"));
  EXPECT_THAT(texts_of_last_prompt(), ElementsAre("be kind", "one"));
  const std::string body = fmt::format(R"({{"input": "two", "previous_response_id": "{}"}})", first);
  const json::object second = post(body);
  EXPECT_THAT(texts_of_last_prompt(), ElementsAre("one", "Hello, world!", "two"));
  EXPECT_EQ(second.at("previous_response_id").as_string(), first);
  // A second answer to the same is a branch.
  post(body);
  EXPECT_THAT(texts_of_last_prompt(), ElementsAre("one", "Hello, world!", "two"));
  // What goes on from a deleted one does so still.
  EXPECT_EQ(ask("DELETE", "/v1/responses/" + first).status, 200U);
  get(first, 404);
  post(fmt::format(R"({{"input": "three", "previous_response_id": "{}"}})", id_of(second)));
  EXPECT_THAT(texts_of_last_prompt(), ElementsAre("one", "Hello, world!", "two", "Hello, world!", "three"));
  EXPECT_EQ(ask("DELETE", "/v1/responses/" + first).status, 404U);
}

TEST_F(ResponseRoutesTest, EventsAreTypedAndNumbered) {
  serve(Script{.tokens = {"a", "b"}});
  const http::RawAnswer answer = ask("POST", "/v1/responses", R"({"input": "hi", "stream": true})");
  const std::vector<std::string> names = lines_with(answer.body, "event: ");
  EXPECT_THAT(names,
              ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                          "response.content_part.added", "response.output_text.delta",
                          "response.output_text.delta", "response.output_text.done",
                          "response.content_part.done", "response.output_item.done", "response.completed"));
  std::size_t number = 0;
  json::object last;
  for (const std::string& line : lines_with(answer.body, "data: ")) {
    last = json::parse(line).as_object();
    EXPECT_EQ(last.at("type").as_string(), names[number]);
    EXPECT_EQ(last.at("sequence_number").to_number<std::size_t>(), number++);
  }
  const json::object& response = last.at("response").as_object();
  EXPECT_EQ(text_of(response), "ab");
  EXPECT_EQ(json::serialize(get(id_of(response))), json::serialize(response));
}

TEST_F(ResponseRoutesTest, WhatIsCutSaysSo) {
  serve(Script{});
  const json::object made = post(R"({"input": "hi", "max_output_tokens": 2})");
  EXPECT_EQ(made.at("status").as_string(), "incomplete");
  EXPECT_EQ(made.at("incomplete_details").at("reason").as_string(), "max_output_tokens");
  EXPECT_EQ(json::serialize(get(id_of(made))), json::serialize(made));
}

TEST_F(ResponseRoutesTest, StoreFalseKeepsNothing) {
  serve(Script{});
  const json::object made = post(R"({"input": "hi", "store": false})");
  EXPECT_EQ(made.at("store").as_bool(), false);
  get(id_of(made), 404);
}

TEST_F(ResponseRoutesTest, AServerThatKeepsNothingSaysSo) {
  has_store_ = false;
  serve(Script{});
  EXPECT_EQ(post(R"({"input": "hi"})").at("store").as_bool(), false);
  EXPECT_EQ(post(R"({"input": "hi", "store": true})", 400).at("error").at("param").as_string(), "store");
  get("resp_01890a5dac96774bbcceb302099a8057", 404);
}

TEST_F(ResponseRoutesTest, OthersNeverFindIt) {
  serve_with_keys("alice-key-0123456789\nbobby-key-0123456789\n");
  const std::string alice = "Authorization: Bearer alice-key-0123456789\r\n";
  const std::string bob = "Authorization: Bearer bobby-key-0123456789\r\n";
  const http::RawAnswer made = ask("POST", "/v1/responses", R"({"input": "hi"})", alice);
  const std::string id = id_of(json_of(made).as_object());
  const json::object foreign = get(id, 404, bob);
  EXPECT_EQ(json::serialize(foreign),
            json::serialize(get("resp_01890a5dac96774bbcceb302099a8057", 404, bob)));
  EXPECT_EQ(ask("DELETE", "/v1/responses/" + id, "", bob).status, 404U);
  const std::string body = fmt::format(R"({{"input": "go on", "previous_response_id": "{}"}})", id);
  EXPECT_EQ(ask("POST", "/v1/responses", body, bob).status, 404U);
  EXPECT_EQ(ask("POST", "/v1/responses", body, alice).status, 200U);
  get(id, 200, alice);
}

TEST_F(ResponseRoutesTest, ExpiredOnesAreGone) {
  serve(Script{});
  const std::string id = id_of(post(R"({"input": "hi"})"));
  const auto pass_time = [&](store::Store&) -> Result<> {
    clock_.time += std::chrono::hours(2);
    return {};
  };
  EXPECT_TRUE(context_->store->submit(pass_time).get());
  get(id, 404);
}

TEST_F(ResponseRoutesTest, AClientThatLeavesLeavesWhatThereIs) {
  constexpr auto kSecond = std::chrono::seconds(1);
  serve(Script{.before_admission = {},
               .before_first_token = {},
               .between_tokens = kSecond,
               .tokens = {"so ", "far", " and more"}});
  std::string id;
  {
    http::RawClient client(server_->port());
    client.send(request("POST", "/v1/responses", R"({"input": "hi", "stream": true})"));
    const std::string begun = client.read_until("\"delta\":\"so \"");
    const std::size_t at = begun.find("\"id\":\"resp_");
    ASSERT_NE(at, std::string::npos);
    id = begun.substr(at + 6, 37);
    EXPECT_EQ(get(id).at("status").as_string(), "in_progress");
    engine_->advance(kSecond);
    client.read_until("\"delta\":\"far\"");
  }
  const json::object left = get_until(
      id, [](const json::object& response) { return response.at("status").as_string() != "in_progress"; });
  EXPECT_EQ(left.at("status").as_string(), "cancelled");
  EXPECT_EQ(text_of(left), "so far");
}

TEST_F(ResponseRoutesTest, AFailureKeepsWhatThereIsAndSaysSo) {
  serve(Script{.tokens = {"so ", "far"}, .error = Error{ErrorKind::kFailed, "secret /path"}});
  const http::RawAnswer answer = ask("POST", "/v1/responses", R"({"input": "hi", "stream": true})");
  EXPECT_EQ(lines_with(answer.body, "event: ").back(), "response.failed");
  EXPECT_THAT(answer.body, Not(HasSubstr("secret")));
  const json::object last = json::parse(lines_with(answer.body, "data: ").back()).as_object();
  const json::object& failed = last.at("response").as_object();
  EXPECT_EQ(failed.at("error").at("code").as_string(), "internal_error");
  const json::object kept = get(id_of(failed));
  EXPECT_EQ(kept.at("status").as_string(), "failed");
  EXPECT_EQ(text_of(kept), "so far");
}

TEST_F(ResponseRoutesTest, WhatTheEngineRefusesLeavesNothing) {
  serve(Script{.refusal = Error{ErrorKind::kOverloaded, "full"}});
  EXPECT_EQ(post(R"({"input": "hi"})", 503).at("error").at("code").as_string(), "overloaded");
  const auto swept = context_->store
                         ->submit([&](store::Store& store) {
                           clock_.time += std::chrono::hours(2);
                           return store.sweep();
                         })
                         .get();
  ASSERT_TRUE(swept);
  EXPECT_EQ(swept->responses, 0);
}

TEST_F(ResponseRoutesTest, AFullDiskIsSaidAfterTheText) {
  store_options_.database.most_pages = 60;
  serve(Script{.tokens = {std::string(300'000, 'x')}});
  const http::RawAnswer whole = ask("POST", "/v1/responses", R"({"input": "hi"})");
  EXPECT_EQ(whole.status, 500U);
  EXPECT_EQ(json_of(whole).at("error").at("code").as_string(), "not_stored");
  EXPECT_EQ(whole.header("x-should-retry"), "false");
  const http::RawAnswer streamed = ask("POST", "/v1/responses", R"({"input": "hi", "stream": true})");
  EXPECT_THAT(lines_with(streamed.body, "event: "), testing::Contains("response.output_text.delta"));
  const json::object last = json::parse(lines_with(streamed.body, "data: ").back()).as_object();
  EXPECT_EQ(last.at("type").as_string(), "response.failed");
  EXPECT_EQ(last.at("response").at("error").at("code").as_string(), "not_stored");
}

TEST_F(ResponseRoutesTest, RefusalsNameTheField) {
  serve(Script{});
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({})", "input"},
      {R"({"input": []})", "input"},
      {R"({"input": 3})", "input"},
      {R"({"input": [{"role": "assistant", "content": "x"}]})", "input"},
      {R"({"input": [{"role": "robot", "content": "x"}]})", "input[0].role"},
      {R"({"input": [{"type": "item_reference", "id": "x"}]})", "input[0].type"},
      {R"({"input": [{"role": "user", "content": [{"type": "input_file"}]}]})", "input[0].content[0].type"},
      {R"({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://x/y"}]}]})",
       "input[0].content[0].image_url"},
      {R"({"input": "x", "max_output_tokens": 0})", "max_output_tokens"},
      {R"({"input": "x", "metadata": {"a": 1}})", "metadata"},
      {R"({"input": "x", "background": true})", "background"},
      {R"({"input": "x", "truncation": "auto"})", "truncation"},
      {R"({"input": "x", "conversation": "c"})", "conversation"},
      {R"({"input": "x", "n": 2})", "n"},
      {R"({"input": "x", "text": {"format": {"type": "json_object"}}})", "text.format.type"},
  };
  for (const auto& [body, param] : cases) {
    SCOPED_TRACE(body);
    EXPECT_EQ(post(body, 400).at("error").at("param").as_string(), param);
  }
  for (const char* id : {"resp_", "x", "resp_01890a5dac96774bbcceb302099a8057"}) {
    const std::string body = fmt::format(R"({{"input": "x", "previous_response_id": "{}"}})", id);
    EXPECT_EQ(post(body, 404).at("error").at("param").as_string(), "previous_response_id");
    get(id, 404);
  }
}

TEST_F(ResponseRoutesTest, ToolsBecomeTextAndItemsOfAnswersAreRead) {
  serve(Script{});
  post(R"({"input": [{"role": "user", "content": [{"type": "input_text", "text": "weather?"}]},
                     {"type": "reasoning", "summary": []},
                     {"type": "function_call", "call_id": "c", "name": "w", "arguments": "{\"a\":1}"},
                     {"type": "function_call_output", "call_id": "c", "output": "rain"}]})");
  EXPECT_THAT(texts_of_last_prompt(), ElementsAre("weather?", R"({"name": "w", "parameters": {"a":1}})",
                                                  "```tool_output\nrain\n```"));
}

}  // namespace
}  // namespace carat::server::openai
