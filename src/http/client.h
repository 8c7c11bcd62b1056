#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "http/message.h"
#include "http/proxy.h"

namespace carat::http {

struct ClientOptions {
  std::string user_agent = "carat";
  std::chrono::milliseconds connect_timeout{20'000};  // for a connection, and again for the TLS handshake
  std::chrono::milliseconds idle_timeout{60'000};     // without a byte in either direction
  std::size_t most_header_bytes = std::size_t{64} << 10;
  std::size_t most_redirects = 10;
  ProxySettings proxies = {};
};

struct TextResponse {
  ResponseHead head;
  std::string body;
};

// Whether an Error of a Client's says that no connection was made at all: without a network, or where the
// address is wrong, asking again at once does not help.
bool is_unreachable(const Error& error);

// Fetches addresses over HTTP/1.1, each request on a connection of its own; safe to use from several threads.
// Certificates are checked against the system's store, or the one that SSL_CERT_FILE names.
//
// Redirects are followed, but never from https to http. An Authorization header goes to the first
// origin alone, and over plain http only to this machine.
class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Any status is a result. kNetwork when there is no connection, time is up, the connection is cut before
  // the body ends, or what comes is no HTTP; kUsage for an address that cannot be used; kInterrupted when
  // `stop` was requested.
  Result<ResponseHead> send(const Request& request, BodySink& sink, const std::stop_token& stop) const;

  // The same for a body that is to be read as a whole; kNetwork when it has more than `limit` bytes.
  Result<TextResponse> fetch_text(const Request& request, std::size_t limit,
                                  const std::stop_token& stop) const;

 private:
  struct Shared;
  std::unique_ptr<const Shared> shared_;
};

}  // namespace carat::http
