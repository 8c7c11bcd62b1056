#include "server/access.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "base/sha256.h"

namespace carat::server {
namespace {

constexpr const char* kKey = "0123456789abcdef";

AccessOptions with_keys() {
  auto keys = parse_key_file("keys", std::string("# mine\n\n ") + kKey + " \nanother-key-of-24-bytes\n");
  EXPECT_TRUE(keys) << keys.error().message;
  return {.keys = std::move(*keys)};
}

http::ServerRequest request(std::vector<http::Header> headers, std::string path = "/v1/models",
                            std::string method = "GET") {
  http::ServerRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.headers = std::move(headers);
  return request;
}

// The status that stands in the way; 0: none.
unsigned status_of(const Access& access, const http::ServerRequest& request) {
  const auto checked = access.check(request);
  return checked ? 0 : checked.error().status;
}

TEST(AccessTest, WithoutKeysAnyBearerIsGood) {
  const Access access({});
  EXPECT_EQ(status_of(access, request({{"Host", "localhost:8080"}})), 0U);
  EXPECT_EQ(status_of(access, request({{"Host", "127.0.0.1:8080"}, {"Authorization", "Bearer whatever"}})),
            0U);
  EXPECT_EQ(access.owner_of(request({{"Authorization", "Bearer whatever"}})), "");
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
  const auto checked = access.check(request({}));
  ASSERT_FALSE(checked);
  EXPECT_EQ(http::find_header(checked.error().headers, "WWW-Authenticate"), "Bearer realm=\"carat\"");
  EXPECT_NE(checked.error().body.find("missing_api_key"), std::string::npos);
}

TEST(AccessTest, HealthIsOpen) {
  const Access access(with_keys());
  for (const char* path : {"/health", "/ready", "/v1/health", "/v1/ready"})
    EXPECT_EQ(status_of(access, request({}, path)), 0U) << path;
  for (const char* path : {"/metrics", "/v1/props", "/healthy", "/health/"})
    EXPECT_EQ(status_of(access, request({}, path)), 401U) << path;
}

TEST(AccessTest, OwnersDifferByKeyAndDoNotTellIt) {
  const Access access(with_keys());
  const std::string one = access.owner_of(request({{"x-api-key", kKey}}));
  const std::string two = access.owner_of(request({{"Authorization", "Bearer another-key-of-24-bytes"}}));
  EXPECT_NE(one, two);
  EXPECT_EQ(one, access.owner_of(request({{"Authorization", std::string("Bearer ") + kKey}})));
  EXPECT_EQ(one.find(kKey), std::string::npos);
  EXPECT_EQ(one.find(to_hex(sha256(std::as_bytes(std::span(std::string_view(kKey))))).substr(0, 16)),
            std::string::npos);
}

TEST(AccessTest, HostNamesOfOthersAreRefused) {
  const Access access({.allowed_hosts = {"Chat.Example"}});
  for (const char* host : {"localhost", "localhost:1", "a.localhost", "127.0.0.1", "10.1.2.3:80",
                           "[::1]:8080", "[fe80::1]", "chat.example:443", "CHAT.example"})
    EXPECT_EQ(status_of(access, request({{"Host", host}})), 0U) << host;
  for (const char* host : {"evil.example", "evil.example:8080", "localhost.evil.example",
                           "127.0.0.1.evil.example", "", "[", "chat.example.evil.example"})
    EXPECT_EQ(status_of(access, request({{"Host", host}})), 403U) << host;
  EXPECT_EQ(status_of(Access({.allowed_hosts = {"*"}}), request({{"Host", "evil.example"}})), 0U);
}

TEST(AccessTest, PagesOfOtherOriginsAreRefusedOnEveryMethod) {
  const Access access({.allowed_origins = {"https://chat.example"}});
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
  options.allowed_origins = {"https://chat.example"};
  const Access access(std::move(options));
  const auto preflight = [&](const char* origin) {
    return access.check(request({{"Origin", origin},
                                 {"Access-Control-Request-Method", "POST"},
                                 {"Access-Control-Request-Headers", "authorization,x-stainless-os"}},
                                "/v1/chat/completions", "OPTIONS"));
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
  const auto followed = access.check(request({{"Origin", "https://chat.example"}, {"x-api-key", kKey}}));
  ASSERT_TRUE(followed);
  EXPECT_EQ(http::find_header(*followed, "Access-Control-Allow-Origin"), "https://chat.example");
}

TEST(KeyFileTest, TakesHashes) {
  const std::string digest = to_hex(sha256(std::as_bytes(std::span(std::string_view(kKey)))));
  const auto keys = parse_key_file("keys", "sha256:" + digest);
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_TRUE((*keys)->owner_of(kKey));
  EXPECT_FALSE((*keys)->owner_of(digest));
}

TEST(KeyFileTest, NamesTheLineThatIsWrong) {
  for (const char* text : {"\nshort\n", "\nwith blanks in the middle\n", "\nsha256:12\n",
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
