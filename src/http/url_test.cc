#include "http/url.h"

#include <gtest/gtest.h>

namespace carat::http {
namespace {

TEST(UrlTest, TakesAnAddressApart) {
  const auto url = Url::parse("HTTPS://Hub.Example:8443/a/b?x=1#part");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "hub.example");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b?x=1");
  EXPECT_EQ(url->text(), "https://hub.example:8443/a/b?x=1");
  EXPECT_EQ(url->without_query(), "https://hub.example:8443/a/b");
}

TEST(UrlTest, KnowsTheUsualPorts) {
  EXPECT_EQ(Url::parse("http://a")->text(), "http://a/");
  EXPECT_EQ(Url::parse("http://a?q")->text(), "http://a/?q");
  EXPECT_EQ(Url::parse("https://a:443/")->authority(), "a");
  EXPECT_EQ(Url::parse("https://a:80/")->authority(), "a:80");
  EXPECT_EQ(Url::parse("http://[::1]:8080/")->authority(), "[::1]:8080");
}

TEST(UrlTest, RefusesWhatCouldBeTakenForSomethingElse) {
  for (const char* text :
       {"", "a", "ftp://a/", "file:///etc/passwd", "http://", "http:///a", "http://user@a/", "http://a:0/",
        "http://a:65536/", "http://a:8x/", "http://a:/", "http://[::1/", "http://[::1]x/", "http://a b/",
        "http://a/\r\nX: y", "http://a/\x80", "http://a%2f/"}) {
    EXPECT_FALSE(Url::parse(text)) << text;
  }
  EXPECT_FALSE(Url::parse("http://a/" + std::string(9000, 'x')));
}

TEST(UrlTest, ResolvesRedirects) {
  const Url base = *Url::parse("https://a:1/x/y?q=/z");
  EXPECT_EQ(base.resolve("http://b/c")->text(), "http://b/c");
  EXPECT_EQ(base.resolve("//b/c")->text(), "https://b/c");
  EXPECT_EQ(base.resolve("/c?d")->text(), "https://a:1/c?d");
  EXPECT_EQ(base.resolve("c")->text(), "https://a:1/x/c");
  EXPECT_EQ(base.resolve("c?t=a:b")->text(), "https://a:1/x/c?t=a:b");
  EXPECT_FALSE(base.resolve("ftp://b/c"));
  EXPECT_FALSE(base.resolve("javascript:c"));
}

TEST(UrlTest, KnowsThisMachine) {
  for (const char* text : {"http://localhost/", "http://127.0.0.1/", "http://127.9.9.9/", "http://[::1]/"}) {
    EXPECT_TRUE(Url::parse(text)->is_loopback()) << text;
  }
  for (const char* text : {"http://127.0.0.1.example/", "http://localhost.example/", "http://10.0.0.1/"}) {
    EXPECT_FALSE(Url::parse(text)->is_loopback()) << text;
  }
}

TEST(UrlTest, EncodesPaths) { EXPECT_EQ(encode_path("a/b c?d%\xc3\xa4"), "a/b%20c%3Fd%25%C3%A4"); }

}  // namespace
}  // namespace carat::http
