// Keys with limits, over HTTP.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "server/key_ring.h"
#include "server/openai/routes.h"
#include "server/test_server.h"

namespace carat::server::openai {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kSecret = "carat_0123";
constexpr std::string_view kHeaders = "x-api-key: carat_0123\r\nContent-Type: application/json\r\n";
constexpr std::string_view kChat = R"({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 50})";

class LimitsTest : public ServerTest {
 protected:
  void add_api(http::Router& router, ServerContext& context) override { add_routes(router, context); }

  // One key; time stands still.
  void serve_with(const store::KeyLimits& limits, const engine::Script& script = {}) {
    store::KeyInUse key;
    key.key.owner = "ann";
    key.key.scopes = {1};
    key.key.limits = limits;
    key.secret_hash = sha256(std::as_bytes(std::span(kSecret)));
    AccessOptions access;
    access.rules.stored_keys = make_key_ring({key}, {});
    access.now = [] { return Moment{.steady = 1h, .wall = {}}; };
    serve([script](const prompt::GenerationRequest&) { return script; }, std::move(access));
  }
  http::RawAnswer chat(std::string_view body = kChat) const {
    return ask("POST", "/v1/chat/completions", body, kHeaders);
  }
};

TEST_F(LimitsTest, RequestsPerMinute) {
  serve_with({.requests_per_minute = 2});
  const http::RawAnswer first = chat();
  EXPECT_EQ(first.status, 200U) << first.body;
  EXPECT_EQ(first.header("x-ratelimit-limit-requests"), "2");
  EXPECT_EQ(first.header("x-ratelimit-remaining-requests"), "1");
  EXPECT_EQ(first.header("x-ratelimit-reset-requests"), "30s");
  EXPECT_EQ(chat().status, 200U);
  const http::RawAnswer refused = chat();
  EXPECT_EQ(refused.status, 429U);
  EXPECT_EQ(refused.header("retry-after"), "30");
  EXPECT_EQ(refused.header("retry-after-ms"), "30000");
  EXPECT_EQ(refused.header("x-should-retry"), "true");
  EXPECT_EQ(refused.header("x-ratelimit-remaining-requests"), "0");
  EXPECT_EQ(refused.header("x-ratelimit-reset-requests"), "1m0s");
  const boost::json::value error = json_of(refused).at("error");
  EXPECT_EQ(error.at("code"), "rate_limit_exceeded");
  EXPECT_EQ(error.at("type"), "rate_limit_error");
  EXPECT_EQ(ask("GET", "/health").status, 200U) << "what is open has no limits";
}

TEST_F(LimitsTest, AnAnswerGivesItsPlaceBackBeforeTheClientHasIt) {
  serve_with({.concurrent_requests = 1}, {.tokens = {"a", "b"}});
  const std::string streamed = R"({"messages": [{"role": "user", "content": "hi"}], "stream": true})";
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(chat().status, 200U);
    EXPECT_EQ(chat(streamed).status, 200U);
    EXPECT_EQ(chat("{").status, 400U);
  }
}

TEST_F(LimitsTest, TokensAreReservedAndSettled) {
  serve_with({.tokens_per_minute = 60}, {.tokens = {"a", "b"}});
  const http::RawAnswer first = chat();
  EXPECT_EQ(first.status, 200U) << first.body;
  EXPECT_EQ(first.header("x-ratelimit-remaining-tokens"), "60");
  const std::int64_t used = json_of(first).at("usage").at("total_tokens").as_int64();
  const http::RawAnswer second = chat();
  EXPECT_EQ(second.header("x-ratelimit-remaining-tokens"), std::to_string(60 - used));
  // Fifty tokens of an answer are not there any more.
  EXPECT_EQ(second.status, 429U);
  EXPECT_NE(second.body.find("60 tokens a minute"), std::string::npos) << second.body;
  EXPECT_EQ(chat(R"({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2})").status, 200U);
}

TEST_F(LimitsTest, ChoicesMultiplyWhatIsReserved) {
  serve_with({.tokens_per_minute = 60}, {.tokens = {"a"}});
  const auto choices = [&](int count) {
    return fmt::format(R"({{"messages": [{{"role": "user", "content": "hi"}}], "max_tokens": 5, "n": {}}})",
                       count);
  };
  EXPECT_EQ(chat(choices(2)).status, 200U);
  EXPECT_EQ(chat(choices(20)).status, 429U);
}

TEST_F(LimitsTest, ADaysTokensAreAQuotaWithoutRetries) {
  serve_with({.tokens_per_day = 1}, {.tokens = {"a"}});
  EXPECT_EQ(chat().status, 200U) << "alone, a request may use more than there is";
  const http::RawAnswer refused = chat();
  EXPECT_EQ(refused.status, 429U);
  EXPECT_EQ(json_of(refused).at("error").at("code"), "insufficient_quota");
  EXPECT_EQ(refused.header("retry-after"), "86400");
  EXPECT_EQ(refused.header("x-should-retry"), "false");
}

TEST_F(LimitsTest, KeysOfTheStoreBringTheirOwnerAndScopes) {
  serve_with({});
  EXPECT_EQ(chat().status, 200U);
  EXPECT_EQ(engine_->requests().at(0).owner, "ann");
  EXPECT_EQ(ask("GET", "/metrics", "", kHeaders).status, 403U) << "it has no such scope";
  EXPECT_EQ(ask("GET", "/v1/models").status, 401U);
}

}  // namespace
}  // namespace carat::server::openai
