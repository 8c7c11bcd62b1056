#include "server/access.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "base/sha256.h"
#include "server/route_access.h"

namespace carat::server {
namespace {

constexpr const char* kKey = "0123456789abcdef";

AccessOptions with_keys() {
  auto keys =
      parse_key_file("keys", std::string("# mine\n\n ") + kKey + " \nanother-key-of-24-bytes\tadmin\n");
  EXPECT_TRUE(keys) << keys.error().message;
  return {.rules = {.file_keys = std::move(*keys)}};
}

http::ServerRequest request(std::vector<http::Header> headers, std::string path = "/v1/models",
                            std::string method = "GET") {
  http::ServerRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.headers = std::move(headers);
  return request;
}

http::Route route(RouteAccess access) {
  return {.method = "GET", .pattern = "/", .handler = {}, .options = {.access = std::to_underlying(access)}};
}

// The status that stands in the way; 0: none.
unsigned status_of(const Access& access, const http::ServerRequest& request,
                   RouteAccess route_access = RouteAccess::kInference) {
  const http::Route way = route(route_access);
  const auto checked = access.check(request, &way);
  return checked ? 0 : checked.error().status;
}

// Whom the request belongs to, once it is let in.
std::string owner_of(const Access& access, http::ServerRequest request) {
  const http::Route way = route(RouteAccess::kInference);
  auto passed = access.check(request, &way);
  EXPECT_TRUE(passed);
  if (passed) request.ticket = std::move(passed->ticket);
  return Access::owner_of(request);
}

TEST(AccessTest, WithoutKeysAnyBearerIsGood) {
  const Access access({});
  EXPECT_EQ(status_of(access, request({{"Host", "localhost:8080"}})), 0U);
  EXPECT_EQ(status_of(access, request({{"Host", "127.0.0.1:8080"}, {"Authorization", "Bearer whatever"}})),
            0U);
  EXPECT_EQ(owner_of(access, request({{"Authorization", "Bearer whatever"}})), "");
}

TEST(AccessTest, WithKeysOneIsNeeded) {
  const Access access(with_keys());
  const std::string good = kKey;
  EXPECT_EQ(status_of(access, request({{"Authorization", "Bearer " + good}})), 0U);
  EXPECT_EQ(status_of(access, request({{"authorization", "bearer  " + good}})), 0U);
  EXPECT_EQ(status_of(access, request({{"x-api-key", good}})), 0U);
  EXPECT_EQ(status_of(access, request({})), 401U);
  EXPECT_EQ(status_of(access, request({{"Authorization", "Bearer " + good + "0"}})), 401U);
  EXPECT_EQ(status_of(access, request({{"Authorization", "Basic " + good}})), 401U);
  EXPECT_EQ(status_of(access, request({{"Authorization", good}})), 401U);
  EXPECT_EQ(status_of(access, request({{"x-api-key", ""}})), 401U);
  // The wrong Authorization is not made good by another header.
  EXPECT_EQ(status_of(access, request({{"Authorization", "Bearer x"}, {"x-api-key", good}})), 401U);
}

TEST(AccessTest, RefusalsSayHowToAuthenticate) {
  const Access access(with_keys());
  const auto checked = access.check(request({}), nullptr);
  ASSERT_FALSE(checked);
  EXPECT_EQ(http::find_header(checked.error().headers, "WWW-Authenticate"), "Bearer realm=\"carat\"");
  EXPECT_NE(checked.error().body.find("missing_api_key"), std::string::npos);
}

TEST(AccessTest, RoutesSayWhoMayUseThem) {
  const Access access(with_keys());
  const http::ServerRequest nobody = request({});
  const http::ServerRequest user = request({{"x-api-key", kKey}});
  const http::ServerRequest admin = request({{"x-api-key", "another-key-of-24-bytes"}});
  struct Row {
    RouteAccess route;
    unsigned nobody, user, admin;
  };
  for (const Row& row : {Row{RouteAccess::kOpen, 0, 0, 0}, Row{RouteAccess::kInference, 401, 0, 0},
                         Row{RouteAccess::kMetrics, 401, 403, 0}, Row{RouteAccess::kAdmin, 401, 403, 0},
                         Row{RouteAccess::kDenied, 401, 403, 403}}) {
    SCOPED_TRACE(std::to_underlying(row.route));
    EXPECT_EQ(status_of(access, nobody, row.route), row.nobody);
    EXPECT_EQ(status_of(access, user, row.route), row.user);
    EXPECT_EQ(status_of(access, admin, row.route), row.admin);
  }
  // What is not there is told to those with a key.
  EXPECT_EQ(access.check(nobody, nullptr).error().status, 401U);
  EXPECT_TRUE(access.check(user, nullptr));
}

TEST(AccessTest, WithoutKeysARouteThatSaysNothingIsDeniedAllTheSame) {
  const Access access({});
  EXPECT_EQ(status_of(access, request({}), RouteAccess::kDenied), 403U);
  EXPECT_EQ(status_of(access, request({}), RouteAccess::kAdmin), 0U);
}

TEST(AccessTest, TakingTheLastKeyAwayOpensNothing) {
  Access access({});
  const auto key = parse_key_file("keys", kKey);
  ASSERT_TRUE(key);
  EXPECT_EQ(status_of(access, request({})), 0U);
  access.change([&](AccessRules& rules) { rules.stored_keys = *key; });
  EXPECT_EQ(status_of(access, request({})), 401U);
  EXPECT_EQ(status_of(access, request({{"x-api-key", kKey}})), 0U);
  access.change([&](AccessRules& rules) { rules.stored_keys = std::make_shared<const KeyRing>(); });
  EXPECT_EQ(status_of(access, request({})), 401U);
  EXPECT_EQ(status_of(access, request({{"x-api-key", kKey}})), 401U);
}

TEST(AccessTest, OnlySoManyRequestsAtATime) {
  AccessOptions options = with_keys();
  options.most_requests = 3;
  options.most_requests_of_key = 2;
  const Access access(std::move(options));
  const http::Route way = route(RouteAccess::kInference);
  const http::ServerRequest one = request({{"x-api-key", kKey}});
  const http::ServerRequest other = request({{"x-api-key", "another-key-of-24-bytes"}});
  auto first = access.check(one, &way);
  auto second = access.check(one, &way);
  ASSERT_TRUE(first && second);
  const auto refused = access.check(one, &way);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 429U);
  EXPECT_NE(refused.error().body.find("rate_limit_exceeded"), std::string::npos);
  EXPECT_EQ(http::find_header(refused.error().headers, "x-should-retry"), "true");
  auto third = access.check(other, &way);
  ASSERT_TRUE(third);
  EXPECT_EQ(status_of(access, other), 503U) << "the server's limit";
  EXPECT_EQ(status_of(access, other, RouteAccess::kOpen), 0U);
  third->ticket = nullptr;
  first->ticket->on_answered();
  first->ticket->on_answered();
  auto fourth = access.check(one, &way);
  ASSERT_TRUE(fourth);
  EXPECT_EQ(status_of(access, one), 429U) << "an answer gives back one place";
  fourth->ticket = nullptr;
  EXPECT_EQ(status_of(access, one), 0U) << "a request that is gone gives back its place";
}

TEST(AccessTest, OwnersDifferByKeyAndDoNotTellIt) {
  const Access access(with_keys());
  const std::string one = owner_of(access, request({{"x-api-key", kKey}}));
  const std::string two = owner_of(access, request({{"Authorization", "Bearer another-key-of-24-bytes"}}));
  EXPECT_NE(one, two);
  EXPECT_EQ(one, owner_of(access, request({{"Authorization", std::string("Bearer ") + kKey}})));
  EXPECT_EQ(one.find(kKey), std::string::npos);
  EXPECT_EQ(one.find(to_hex(sha256(std::as_bytes(std::span(std::string_view(kKey))))).substr(0, 16)),
            std::string::npos);
}

TEST(AccessTest, HostNamesOfOthersAreRefused) {
  const Access access({.rules = {.allowed_hosts = {"Chat.Example"}}});
  for (const char* host : {"localhost", "localhost:1", "a.localhost", "127.0.0.1", "10.1.2.3:80",
                           "[::1]:8080", "[fe80::1]", "chat.example:443", "CHAT.example"})
    EXPECT_EQ(status_of(access, request({{"Host", host}})), 0U) << host;
  for (const char* host : {"evil.example", "evil.example:8080", "localhost.evil.example",
                           "127.0.0.1.evil.example", "", "[", "chat.example.evil.example"})
    EXPECT_EQ(status_of(access, request({{"Host", host}})), 403U) << host;
  EXPECT_EQ(status_of(Access({.rules = {.allowed_hosts = {"*"}}}), request({{"Host", "evil.example"}})), 0U);
}

TEST(AccessTest, PagesOfOtherOriginsAreRefusedOnEveryMethod) {
  const Access access({.rules = {.allowed_origins = {"https://chat.example"}}});
  for (const char* method : {"GET", "POST", "DELETE", "OPTIONS", "HEAD"}) {
    const auto with = [&](std::vector<http::Header> headers) {
      headers.push_back({"Host", "127.0.0.1:8080"});
      return status_of(access, request(std::move(headers), "/health", method));
    };
    EXPECT_EQ(with({{"Origin", "http://127.0.0.1:8080"}}), 0U);
    EXPECT_EQ(with({{"Origin", "https://chat.example"}, {"Sec-Fetch-Site", "cross-site"}}), 0U);
    EXPECT_EQ(with({{"Origin", "https://evil.example"}}), 403U);
    EXPECT_EQ(with({{"Origin", "http://127.0.0.1:8081"}}), 403U);
    EXPECT_EQ(with({{"Origin", "https://127.0.0.1:8080"}}), 403U);
    EXPECT_EQ(with({{"Origin", "null"}}), 403U);
    EXPECT_EQ(with({{"Sec-Fetch-Site", "cross-site"}}), 403U);
    EXPECT_EQ(with({{"Sec-Fetch-Site", "same-site"}}), 403U);
    EXPECT_EQ(with({{"Sec-Fetch-Site", "same-origin"}}), 0U);
    EXPECT_EQ(with({{"Sec-Fetch-Site", "none"}}), 0U);
  }
}

TEST(AccessTest, PreflightsOfAllowedOriginsAreAnsweredWithoutAKey) {
  AccessOptions options = with_keys();
  options.rules.allowed_origins = {"https://chat.example"};
  const Access access(std::move(options));
  const auto preflight = [&](const char* origin) {
    return access.check(request({{"Origin", origin},
                                 {"Access-Control-Request-Method", "POST"},
                                 {"Access-Control-Request-Headers", "authorization,x-stainless-os"}},
                                "/v1/chat/completions", "OPTIONS"),
                        nullptr);
  };
  const auto allowed = preflight("https://chat.example");
  ASSERT_FALSE(allowed);
  EXPECT_EQ(allowed.error().status, 204U);
  EXPECT_EQ(http::find_header(allowed.error().headers, "Access-Control-Allow-Origin"),
            "https://chat.example");
  EXPECT_EQ(http::find_header(allowed.error().headers, "Access-Control-Allow-Headers"),
            "authorization,x-stainless-os");
  const auto refused = preflight("https://evil.example");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 403U);
  EXPECT_EQ(http::find_header(refused.error().headers, "Access-Control-Allow-Origin"), std::nullopt);

  // The request that follows is let in with its key, and may be read.
  const auto followed =
      access.check(request({{"Origin", "https://chat.example"}, {"x-api-key", kKey}}), nullptr);
  ASSERT_TRUE(followed);
  EXPECT_EQ(http::find_header(followed->headers, "Access-Control-Allow-Origin"), "https://chat.example");
}

TEST(KeyFileTest, TakesHashes) {
  const std::string digest = to_hex(sha256(std::as_bytes(std::span(std::string_view(kKey)))));
  const auto keys = parse_key_file("keys", "sha256:" + digest);
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_TRUE((*keys)->find(kKey) != nullptr);
  EXPECT_EQ((*keys)->find(digest), nullptr);
}

TEST(KeyFileTest, NamesTheLineThatIsWrong) {
  for (const char* text :
       {"\nshort\n", "\n0123456789abcdef and more\n", "\n0123456789abcdef inference,root\n", "\nsha256:12\n",
        "\nsha256:zz23456789012345678901234567890123456789012345678901234567890123\n"}) {
    const auto keys = parse_key_file("/etc/keys", text);
    ASSERT_FALSE(keys) << text;
    EXPECT_EQ(keys.error().kind, ErrorKind::kUsage);
    EXPECT_TRUE(keys.error().message.starts_with("/etc/keys:2: ")) << keys.error().message;
  }
  EXPECT_FALSE(parse_key_file("keys", "# nothing\n"));
}

TEST(CheckAddressTest, OthersNeedAKey) {
  for (const char* address : {"127.0.0.1", "127.1.2.3", "::1", "localhost", "unix:/run/carat.socket"})
    EXPECT_TRUE(check_address(address, false)) << address;
  for (const char* address : {"0.0.0.0", "::", "192.168.0.5", "my-host", "::ffff:127.0.0.1"}) {
    const auto checked = check_address(address, false);
    ASSERT_FALSE(checked) << address;
    EXPECT_EQ(checked.error().kind, ErrorKind::kUsage);
    EXPECT_NE(checked.error().message.find("--api-key-file"), std::string::npos);
    EXPECT_TRUE(check_address(address, true));
  }
}

}  // namespace
}  // namespace carat::server
