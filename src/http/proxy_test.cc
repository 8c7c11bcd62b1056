#include "http/proxy.h"

#include <gtest/gtest.h>

#include <map>

namespace carat::http {
namespace {

Result<ProxySettings> settings(const std::map<std::string, std::string>& environment) {
  return ProxySettings::from_environment([&](const char* name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  });
}

Url url(std::string_view text) { return *Url::parse(text); }

TEST(ProxyTest, ChoosesByScheme) {
  const auto proxies =
      settings({{"http_proxy", "http://plain:1"}, {"HTTPS_PROXY", "http://me:pw@secure:2/"}});
  ASSERT_TRUE(proxies);
  EXPECT_EQ(proxies->proxy_for(url("http://a/"))->host, "plain");
  const auto secure = proxies->proxy_for(url("https://a/"));
  EXPECT_EQ(secure->host, "secure");
  EXPECT_EQ(secure->port, 2);
  EXPECT_EQ(secure->authorization, "Basic bWU6cHc=");
}

TEST(ProxyTest, UpperCaseHttpProxyDoesNotCount) {
  EXPECT_FALSE(settings({{"HTTP_PROXY", "http://evil:1"}})->proxy_for(url("http://a/")));
}

TEST(ProxyTest, LeavesOutWhatNoProxyNames) {
  const auto proxies = settings({{"all_proxy", "p:3128"}, {"no_proxy", "localhost, .corp.example,10.0.0.1"}});
  for (const char* direct :
       {"http://localhost/", "http://a.corp.example/", "https://corp.example/", "http://10.0.0.1/"}) {
    EXPECT_FALSE(proxies->proxy_for(url(direct))) << direct;
  }
  for (const char* by_proxy : {"http://notcorp.example/", "https://10.0.0.11/"}) {
    EXPECT_TRUE(proxies->proxy_for(url(by_proxy))) << by_proxy;
  }
  EXPECT_FALSE(settings({{"all_proxy", "p:3128"}, {"no_proxy", "*"}})->proxy_for(url("http://a/")));
}

TEST(ProxyTest, RefusesOtherProxiesWithoutRepeatingThem) {
  for (const char* proxy : {"socks5://a:1", "https://a:1", "http://me:secret@a:x"}) {
    const auto proxies = settings({{"https_proxy", proxy}});
    ASSERT_FALSE(proxies) << proxy;
    EXPECT_EQ(proxies.error().kind, ErrorKind::kUsage);
    EXPECT_EQ(proxies.error().message.find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace carat::http
