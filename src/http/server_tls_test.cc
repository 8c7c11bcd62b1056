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
  ~ServerTlsTest() override { ::unsetenv("SSL_CERT_FILE"); }

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
