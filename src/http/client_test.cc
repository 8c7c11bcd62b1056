#include "http/client.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "http/test_certificate.h"
#include "http/test_server.h"

namespace carat::http {
namespace {

using std::chrono_literals::operator""ms;
constexpr std::size_t kLimit = std::size_t{1} << 20;

ClientOptions quick() {
  ClientOptions options;
  options.most_header_bytes = 4096;
  return options;
}

Result<TextResponse> get(const std::string& url, std::vector<Header> headers = {},
                         const ClientOptions& options = quick()) {
  const Client client(options);
  return client.fetch_text({.url = url, .headers = std::move(headers)}, kLimit, {});
}

template <class T>
void expect_error(const Result<T>& result, ErrorKind kind, std::string_view text) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, kind) << result.error().message;
  EXPECT_NE(result.error().message.find(text), std::string::npos) << result.error().message;
}

TEST(ClientTest, SendsHeadersAndReadsTheAnswer) {
  TestServer server([](TestConnection& c) { c.reply("200 OK", "hello", "X-One: 1\r\n"); });
  const auto response = get(server.url("/a?b=c"), {{"Range", "bytes=1-2"}});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->head.status, 200U);
  EXPECT_EQ(response->head.find("x-one"), "1");
  EXPECT_EQ(response->head.url, server.url("/a?b=c"));
  EXPECT_EQ(response->body, "hello");
  const TestRequest request = server.requests().at(0);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/a?b=c");
  EXPECT_EQ(request.header("range"), "bytes=1-2");
  EXPECT_EQ(request.header("host"), "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(request.header("accept-encoding"), "identity");
}

TEST(ClientTest, HeadHasNoBody) {
  TestServer server([](TestConnection& c) { c.reply("200 OK", "hello"); });
  const auto response =
      Client(quick()).fetch_text({.method = Method::kHead, .url = server.url()}, kLimit, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->head.find("content-length"), "5");
  EXPECT_EQ(response->body, "");
}

TEST(ClientTest, ReadsChunkedBodiesAndThoseThatEndWithTheConnection) {
  TestServer chunked([](TestConnection& c) {
    c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  });
  EXPECT_EQ(get(chunked.url())->body, "abcde");
  TestServer open_ended([](TestConnection& c) { c.send("HTTP/1.1 200 OK\r\n\r\nabcdef"); });
  EXPECT_EQ(get(open_ended.url())->body, "abcdef");
}

TEST(ClientTest, SkipsInterimAnswers) {
  TestServer server([](TestConnection& c) {
    c.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    c.reply("200 OK", "x");
  });
  EXPECT_EQ(get(server.url())->body, "x");
}

TEST(ClientTest, AnErrorStatusIsAResult) {
  TestServer server([](TestConnection& c) { c.reply("404 Not Found", "no"); });
  EXPECT_EQ(get(server.url())->head.status, 404U);
}

// A cut at any byte is an error, and never a short body or a crash.
TEST(ClientTest, NoticesACutAtEveryByte) {
  const std::string whole = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX: y\r\n\r\nhello, world";
  std::atomic<std::size_t> cut = 0;
  TestServer server([&](TestConnection& c) { c.send(std::string_view(whole).substr(0, cut)); });
  for (cut = 0; cut < whole.size(); ++cut) {
    const auto response = get(server.url());
    ASSERT_FALSE(response) << cut;
    EXPECT_EQ(response.error().kind, ErrorKind::kNetwork) << response.error().message;
  }
  EXPECT_EQ(get(server.url())->body, "hello, world");
}

TEST(ClientTest, RefusesWhatIsNoHttpAndHeadersWithoutEnd) {
  TestServer other([](TestConnection& c) { c.send("SSH-2.0-OpenSSH_9.2\r\n"); });
  expect_error(get(other.url()), ErrorKind::kNetwork, "waiting for an answer");
  TestServer huge([](TestConnection& c) {
    c.send("HTTP/1.1 200 OK\r\n");
    while (c.send("X-Filler: " + std::string(500, 'x') + "\r\n")) {
    }
  });
  expect_error(get(huge.url()), ErrorKind::kNetwork, "more than 4096 bytes");
}

TEST(ClientTest, StopsReadingAtTheLimit) {
  TestServer server([](TestConnection& c) {
    c.send("HTTP/1.1 200 OK\r\n\r\n");
    while (c.send(std::string(10'000, 'x'))) {
    }
  });
  expect_error(get(server.url()), ErrorKind::kNetwork, "more than 1048576 bytes");
}

TEST(ClientTest, FollowsRedirectsAndKeepsTheTokenToItsOrigin) {
  TestServer cdn([](TestConnection& c) { c.reply("200 OK", "from the CDN"); });
  TestServer hub([&](TestConnection& c) {
    if (c.request().target == "/file") {
      c.redirect("/moved", "307 Temporary Redirect");
    } else {
      c.redirect(cdn.url("/signed?key=1"));
    }
  });
  const auto response = get(hub.url("/file"), {{"Authorization", "Bearer t"}, {"Range", "bytes=0-1"}});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "from the CDN");
  EXPECT_EQ(response->head.url, cdn.url("/signed?key=1"));
  ASSERT_EQ(hub.requests().size(), 2U);
  EXPECT_EQ(hub.requests()[1].header("authorization"), "Bearer t");
  EXPECT_EQ(cdn.requests().at(0).header("authorization"), "");
  EXPECT_EQ(cdn.requests().at(0).header("range"), "bytes=0-1");
}

TEST(ClientTest, TheTokenDoesNotComeBackAfterADetour) {
  std::string home;
  TestServer other([&](TestConnection& c) { c.redirect(home); });
  TestServer hub([&](TestConnection& c) {
    if (c.request().target == "/start") {
      c.redirect(other.url());
    } else {
      c.reply("200 OK", "");
    }
  });
  home = hub.url("/end");
  ASSERT_TRUE(get(hub.url("/start"), {{"authorization", "Bearer t"}}));
  EXPECT_EQ(hub.requests().at(1).header("authorization"), "");
}

TEST(ClientTest, RedirectLoopsEnd) {
  TestServer server([](TestConnection& c) { c.redirect("/again"); });
  expect_error(get(server.url()), ErrorKind::kNetwork, "more than 10 redirects");
  EXPECT_EQ(server.requests().size(), 11U);
}

TEST(ClientTest, RefusesRedirectsToOtherKindsOfAddress) {
  TestServer server([](TestConnection& c) { c.redirect("file:///etc/passwd"); });
  expect_error(get(server.url()), ErrorKind::kNetwork, "redirect");
}

TEST(ClientTest, SendsNoTokenWithoutEncryption) {
  expect_error(get("http://hub.example/", {{"Authorization", "Bearer t"}}), ErrorKind::kUsage, "encryption");
}

TEST(ClientTest, RefusesHeadersThatBreakOut) {
  TestServer server([](TestConnection& c) { c.reply("200 OK", ""); });
  expect_error(get(server.url(), {{"X-Name", "a\r\nY: b"}}), ErrorKind::kUsage, "line break");
}

TEST(ClientTest, TimeRunsOutWhereNothingComes) {
  TestServer silent([](TestConnection& c) { c.wait_for_close(); });
  TestServer stalled([](TestConnection& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    c.wait_for_close();
  });
  ClientOptions options = quick();
  options.idle_timeout = 50ms;
  expect_error(get(silent.url(), {}, options), ErrorKind::kNetwork, "no answer in time");
  expect_error(get(stalled.url(), {}, options), ErrorKind::kNetwork, "no answer in time");
}

TEST(ClientTest, RefusedConnectionsAreNetworkErrors) {
  std::string address;
  {
    address = TestServer([](TestConnection&) {}).url();
  }
  expect_error(get(address), ErrorKind::kNetwork, "connecting to 127.0.0.1");
}

TEST(ClientTest, AStopEndsARequestThatWaits) {
  std::stop_source stop;
  TestServer silent([&](TestConnection& c) {
    stop.request_stop();
    c.wait_for_close();
  });
  const Client client(quick());
  const auto response = client.fetch_text({.url = silent.url()}, kLimit, stop.get_token());
  expect_error(response, ErrorKind::kInterrupted, "");
  expect_error(client.fetch_text({.url = silent.url()}, kLimit, stop.get_token()), ErrorKind::kInterrupted,
               "");
}

TEST(ClientTest, GoesThroughAProxy) {
  TestServer proxy([](TestConnection& c) { c.reply("200 OK", "by proxy"); });
  ClientOptions options = quick();
  options.proxies = *ProxySettings::from_environment([&](const char* name) -> std::optional<std::string> {
    if (std::string_view(name) == "http_proxy")
      return "http://me:pw@127.0.0.1:" + std::to_string(proxy.port());
    return std::nullopt;
  });
  EXPECT_EQ(get("http://nowhere.example/x", {}, options)->body, "by proxy");
  EXPECT_EQ(proxy.requests().at(0).target, "http://nowhere.example/x");
  EXPECT_EQ(proxy.requests().at(0).header("proxy-authorization"), "Basic bWU6cHc=");
}

class ClientTlsTest : public testing::Test {
 protected:
  ClientTlsTest() : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    certificate_.use_in(context_.get());
  }
  void TearDown() override { ::unsetenv("SSL_CERT_FILE"); }
  void trust_it() { ::setenv("SSL_CERT_FILE", certificate_.path().c_str(), 1); }

  TestCertificate certificate_;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
};

TEST_F(ClientTlsTest, TrustsTheStoreAndChecksTheName) {
  trust_it();
  TestServer server([](TestConnection& c) { c.reply("200 OK", "secret"); }, context_.get());
  const auto response = get(server.url("/", "localhost"), {{"Authorization", "Bearer t"}});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "secret");
  expect_error(get(server.url("/", "127.0.0.1")), ErrorKind::kNetwork, "certificate is not trusted");
}

TEST_F(ClientTlsTest, RefusesACertificateThatNobodyKnows) {
  TestServer server([](TestConnection& c) { c.reply("200 OK", "secret"); }, context_.get());
  expect_error(get(server.url("/", "localhost")), ErrorKind::kNetwork, "certificate is not trusted");
}

TEST_F(ClientTlsTest, IsNotLedFromTlsToPlainHttp) {
  trust_it();
  TestServer plain([](TestConnection& c) { c.reply("200 OK", ""); });
  TestServer server([&](TestConnection& c) { c.redirect(plain.url()); }, context_.get());
  expect_error(get(server.url("/", "localhost")), ErrorKind::kNetwork, "from https to http");
  EXPECT_TRUE(plain.requests().empty());
}

TEST_F(ClientTlsTest, TunnelsThroughAProxyAndNoticesACut) {
  trust_it();
  // The proxy answers CONNECT and then speaks TLS itself, as the server would through the tunnel.
  std::atomic<bool> refuse = false;
  TestServer proxy([&](TestConnection& c) {
    if (refuse) {
      c.reply("403 Forbidden", "");
      return;
    }
    c.send("HTTP/1.1 200 Connection established\r\n\r\n");
    c.serve_tls(context_.get(), [](TestConnection& inner) {
      inner.send("HTTP/1.1 200 OK\r\n\r\nhalf");  // no length, and no close_notify either
    });
  });
  ClientOptions options = quick();
  options.proxies = *ProxySettings::from_environment([&](const char* name) -> std::optional<std::string> {
    if (std::string_view(name) == "https_proxy") return "127.0.0.1:" + std::to_string(proxy.port());
    return std::nullopt;
  });
  expect_error(get("https://localhost/x", {}, options), ErrorKind::kNetwork, "the connection was cut");
  EXPECT_EQ(proxy.requests().at(0).method, "CONNECT");
  EXPECT_EQ(proxy.requests().at(0).target, "localhost:443");
  refuse = true;
  expect_error(get("https://localhost/x", {}, options), ErrorKind::kNetwork,
               "refused the connection with status 403");
}

}  // namespace
}  // namespace carat::http
