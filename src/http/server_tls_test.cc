#include <gtest/gtest.h>
#include <stdlib.h>

#include "http/client.h"
#include "http/server.h"
#include "http/test_certificate.h"
#include "http/test_handlers.h"
#include "http/test_socket.h"

namespace carat::http {
namespace {

class ServerTlsTest : public testing::Test {
 public:
  ~ServerTlsTest() override { ::unsetenv("SSL_CERT_FILE"); }

 protected:
  ServerTlsTest() {
    ::setenv("SSL_CERT_FILE", certificate_.path().c_str(), 1);
    options_.tls = TlsFiles{certificate_.path(), certificate_.key_path()};
    router_.add("GET", "/a",
                [](const std::shared_ptr<const ServerRequest>& request, const Responder& responder) {
                  EXPECT_TRUE(request->peer.is_encrypted);
                  responder.start_stream(200, {});
                  for (int i = 0; i < 3; ++i) responder.write(std::string(20'000, 'x'));
                  responder.end();
                });
  }
  TestCertificate certificate_;
  ServerOptions options_ = test_options();
  Router router_;
};

TEST_F(ServerTlsTest, ServesEncrypted) {
  const Server server = start_server(std::move(router_), options_);
  const Client client((ClientOptions()));
  const std::string url = "https://localhost:" + std::to_string(server.port()) + "/a";
  const auto answer = client.fetch_text({.url = url}, 100'000, {});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, std::string(60'000, 'x'));
}

TEST_F(ServerTlsTest, OneConnectionServesManyRequests) {
  HeldRequests held;
  Router router;
  router.add("GET", "/a", held.handler());
  const Server server = start_server(std::move(router), options_);
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const std::unique_ptr<BIO, void (*)(BIO*)> stream(BIO_new_ssl_connect(context.get()), BIO_free_all);
  const std::string address = "127.0.0.1:" + std::to_string(server.port());
  BIO_set_conn_hostname(stream.get(), address.c_str());
  for (std::size_t i = 0; i < 20; ++i) {
    ASSERT_GT(BIO_puts(stream.get(), "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
    ASSERT_TRUE(held.arrived.wait_for(i + 1));
    held.responder(i).send({.body = "answer"});
    std::string text;
    while (!text.ends_with("answer")) {
      char byte = 0;
      ASSERT_EQ(BIO_read(stream.get(), &byte, 1), 1) << i;
      text += byte;
    }
  }
  EXPECT_EQ(server.statistics().accepted, 1U);
  EXPECT_EQ(held.stopped.count(), 0U);
  held.clear();
}

TEST_F(ServerTlsTest, PlainTextIsNotAnswered) {
  const Server server = start_server(std::move(router_), options_);
  RawClient client(server.port());
  client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_to_end().find("HTTP/1.1 200"), std::string::npos);
}

TEST_F(ServerTlsTest, ASlowHandshakeIsCut) {
  options_.limits.header_timeout = std::chrono::milliseconds(20);
  const Server server = start_server(std::move(router_), options_);
  RawClient client(server.port());
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(ServerTlsTest, SaysWhichFileIsWrong) {
  const auto message = [&](const std::string& certificate, const std::string& key) {
    options_.tls = TlsFiles{certificate, key};
    const auto server = Server::listen(options_);
    if (server) return std::string();
    EXPECT_EQ(server.error().kind, ErrorKind::kUsage);
    return server.error().message;
  };
  const TestCertificate other;
  EXPECT_EQ(message(certificate_.path(), certificate_.key_path()), "");
  EXPECT_EQ(message("/nowhere.pem", certificate_.key_path()),
            "/nowhere.pem: there is no such file for the TLS certificate");
  EXPECT_TRUE(message(certificate_.path(), other.key_path()).starts_with(other.key_path()));
  EXPECT_TRUE(message(certificate_.key_path(), other.key_path()).starts_with(certificate_.key_path()));
  EXPECT_TRUE(message(certificate_.path(), certificate_.path()).starts_with(certificate_.path()));
}

}  // namespace
}  // namespace carat::http
