#include "server/key_sync.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/route_access.h"
#include "store/test_store.h"

namespace carat::server {
namespace {

using store::must;

// A server's keys over a store that another process (store_) changes.
class KeySyncTest : public testing::Test {
 protected:
  store::KeyStore& keys() { return store_->keys(); }

  std::shared_ptr<const KeyHolder> find(const std::string& secret) {
    return access_.rules()->stored_keys->find(secret);
  }

  std::expected<http::Pass, http::Response> ask(const std::string& secret) {
    const http::Route route{.method = "GET",
                            .pattern = "/",
                            .handler = {},
                            .options = {.access = std::to_underlying(RouteAccess::kInference)}};
    http::ServerRequest request;
    request.headers = {{"x-api-key", secret}};
    return access_.check(request, &route);
  }

  store::TestStore store_;
  store::StoreThread thread_{store_.another()};
  Access access_{{}};
  std::vector<std::string> failures_;
  KeySync sync_{access_, thread_, [this](const Error& error) { failures_.push_back(error.message); }};
};

TEST_F(KeySyncTest, KeysComeAndGoWhileTheServerRuns) {
  must(sync_.sync());
  EXPECT_FALSE(access_.rules()->needs_key);
  const store::CreatedKey made = must(keys().add({.name = "laptop", .owner = "ann", .scopes = {2}}));
  must(sync_.sync());
  const auto holder = find(made.secret);
  ASSERT_NE(holder, nullptr);
  EXPECT_EQ(holder->owner, "ann");
  EXPECT_EQ(holder->name, "laptop");
  EXPECT_TRUE(holder->scopes.has(store::KeyScope::kMetrics));
  EXPECT_FALSE(holder->scopes.has(store::KeyScope::kInference));
  EXPECT_EQ(find(made.secret + "0"), nullptr);
  EXPECT_EQ(find(""), nullptr);
  must(keys().revoke("laptop"));
  must(sync_.sync());
  EXPECT_EQ(find(made.secret), nullptr);
  EXPECT_TRUE(access_.rules()->needs_key);
}

TEST_F(KeySyncTest, ATickLooksAndRecords) {
  const store::CreatedKey made = must(keys().add({.name = "a"}));
  sync_.tick();
  must(sync_.sync());  // behind it
  ASSERT_NE(find(made.secret), nullptr);
  {
    const auto pass = ask(made.secret);
    ASSERT_TRUE(pass);
    dynamic_cast<Admission&>(*pass->ticket).use(40);
    dynamic_cast<Admission&>(*pass->ticket).use(2);
  }
  sync_.tick();
  must(sync_.sync());
  EXPECT_EQ(must(keys().usage(made.key.id)).usage.tokens, 42);
  EXPECT_EQ(must(keys().usage(made.key.id)).usage.requests, 1);
  EXPECT_TRUE(must(keys().list()).at(0).last_used);
  must(sync_.sync());
  EXPECT_EQ(must(keys().usage(made.key.id)).usage.tokens, 42) << "once";
  EXPECT_TRUE(failures_.empty());
}

TEST_F(KeySyncTest, WhatWasUsedCountsOnWhenKeysChange) {
  const store::CreatedKey made = must(keys().add({.name = "a", .limits = {.requests_per_minute = 1}}));
  must(sync_.sync());
  EXPECT_TRUE(ask(made.secret));
  must(keys().add({.name = "b"}));
  must(sync_.sync());
  const auto refused = ask(made.secret);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 429U);
}

TEST_F(KeySyncTest, UseBeforeTheStartCountsAgainstTheDay) {
  const store::CreatedKey made = must(keys().add({.name = "a", .limits = {.tokens_per_day = 10}}));
  must(keys().record_use(made.key.id, {.requests = 1, .tokens = 10}));
  // The server's clock is this machine's, the store's the test's: the days differ.
  const WallTime now = store_.clock.now();
  Access access({.now = [now] { return Moment{.steady = {}, .wall = now}; }});
  KeySync sync(access, thread_, [](const Error&) {});
  must(sync.sync());
  const auto holder = access.rules()->stored_keys->find(made.secret);
  ASSERT_NE(holder, nullptr);
  const auto refusal = holder->meter->begin({.steady = {}, .wall = now}, 100);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->limit, KeyMeter::Limit::kTokensOfDay);
}

TEST_F(KeySyncTest, UseOfARevokedKeyIsNoFailure) {
  const store::CreatedKey made = must(keys().add({.name = "a"}));
  must(sync_.sync());
  EXPECT_TRUE(ask(made.secret));
  must(keys().revoke("a"));
  sync_.tick();
  must(sync_.sync());
  EXPECT_TRUE(failures_.empty());
}

}  // namespace
}  // namespace carat::server
