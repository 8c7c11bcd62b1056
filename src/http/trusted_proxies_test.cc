#include "http/trusted_proxies.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace carat::http {
namespace {

TrustedProxies proxies(const std::vector<std::string>& names) {
  auto parsed = TrustedProxies::parse(names);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed.value_or(TrustedProxies());
}

Peer peer(const char* address) {
  return {.address = address, .port = 5, .is_loopback = false, .is_encrypted = false};
}

std::string address_behind(const TrustedProxies& proxies, const char* address,
                           const std::vector<Header>& headers) {
  return proxies.client_of(peer(address), headers).address;
}

TEST(TrustedProxiesTest, OthersSayNothingAboutWhoTheyAre) {
  const std::vector<Header> lies = {{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-Proto", "https"}};
  for (const TrustedProxies& some : {TrustedProxies(), proxies({"10.0.0.0/8", "unix"})}) {
    const Peer client = some.client_of(peer("11.0.0.1"), lies);
    EXPECT_EQ(client.address, "11.0.0.1");
    EXPECT_EQ(client.port, 5);
    EXPECT_FALSE(client.is_loopback);
    EXPECT_FALSE(client.is_encrypted);
  }
}

TEST(TrustedProxiesTest, TheLastAddressThatIsNoProxysIsTheClients) {
  const TrustedProxies some = proxies({"10.0.0.0/8", "192.168.1.7"});
  EXPECT_EQ(address_behind(some, "10.1.2.3", {{"x-forwarded-for", "8.8.8.8"}}), "8.8.8.8");
  // What the client sent itself stands before what the proxy added.
  EXPECT_EQ(address_behind(some, "10.1.2.3", {{"X-Forwarded-For", "127.0.0.1, 8.8.8.8"}}), "8.8.8.8");
  EXPECT_EQ(address_behind(some, "10.1.2.3", {{"X-Forwarded-For", "127.0.0.1 ,8.8.8.8,192.168.1.7"}}),
            "8.8.8.8");
  EXPECT_EQ(address_behind(some, "10.1.2.3",
                           {{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-For", "2001:db8::1"}}),
            "2001:db8::1");
  EXPECT_EQ(address_behind(some, "10.1.2.3", {}), "10.1.2.3");
  for (const char* nonsense : {"", ",", "unknown", "8.8.8.8, unix", "8.8.8.8,", "8.8.8.8:80", "1.2.3"})
    EXPECT_EQ(address_behind(some, "10.1.2.3", {{"X-Forwarded-For", nonsense}}), "10.1.2.3") << nonsense;
}

TEST(TrustedProxiesTest, TheSchemeIsTheNearestProxys) {
  const TrustedProxies some = proxies({"unix"});
  const auto is_encrypted = [&](const std::vector<Header>& headers) {
    return some.client_of({.address = "unix"}, headers).is_encrypted;
  };
  EXPECT_TRUE(is_encrypted({{"X-Forwarded-Proto", "HTTPS"}}));
  EXPECT_TRUE(is_encrypted({{"X-Forwarded-Proto", "http, https"}}));
  EXPECT_FALSE(is_encrypted({{"X-Forwarded-Proto", "https, http"}}));
  EXPECT_FALSE(is_encrypted({{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Proto", "http"}}));
  EXPECT_FALSE(is_encrypted({}));
  EXPECT_TRUE(some.client_of({.address = "unix", .is_encrypted = true}, {}).is_encrypted);
}

TEST(TrustedProxiesTest, LoopbackIsTheClientsAndNotTheProxys) {
  const TrustedProxies some = proxies({"127.0.0.1", "::1"});
  const Peer here = {.address = "127.0.0.1", .is_loopback = true};
  EXPECT_FALSE(some.client_of(here, {{"X-Forwarded-For", "8.8.8.8"}}).is_loopback);
  EXPECT_TRUE(some.client_of(here, {{"X-Forwarded-For", "127.0.0.2"}}).is_loopback);
  EXPECT_EQ(some.client_of(here, {{"X-Forwarded-For", "::ffff:8.8.8.8"}}).address, "8.8.8.8");
}

TEST(TrustedProxiesTest, NetworksOfEveryLength) {
  EXPECT_EQ(address_behind(proxies({"0.0.0.0/0"}), "10.1.2.3", {{"X-Forwarded-For", "::2"}}), "::2");
  EXPECT_EQ(address_behind(proxies({"10.1.2.2/31"}), "10.1.2.3", {{"X-Forwarded-For", "::2"}}), "::2");
  EXPECT_EQ(address_behind(proxies({"10.1.2.4/31"}), "10.1.2.3", {{"X-Forwarded-For", "::2"}}), "10.1.2.3");
  EXPECT_EQ(address_behind(proxies({"fd00::/8"}), "fdff::1", {{"X-Forwarded-For", "::2"}}), "::2");
  EXPECT_EQ(address_behind(proxies({"fd00::/8"}), "fe00::1", {{"X-Forwarded-For", "::2"}}), "fe00::1");
  for (const char* wrong :
       {"", "proxy", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "10.0.0/8"}) {
    const std::vector<std::string> names = {wrong};
    const auto parsed = TrustedProxies::parse(names);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kUsage);
  }
}

}  // namespace
}  // namespace carat::http
