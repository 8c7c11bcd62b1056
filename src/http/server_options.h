#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/responder.h"
#include "http/server_request.h"
#include "http/trusted_proxies.h"

namespace carat::http {

// What the server holds against a client. All of it is enforced before the bytes in question are kept.
struct ServerLimits {
  std::size_t most_connections = 2048;                          // more are answered 503 and closed
  std::size_t most_target_bytes = std::size_t{8} << 10;         // path and query; 414
  std::size_t most_header_bytes = std::size_t{32} << 10;        // request line and headers; 431
  std::size_t most_headers = 100;                               // 431
  std::size_t most_body_bytes = std::size_t{1} << 20;           // unless the route has its own; 413
  std::size_t most_buffered_body_bytes = std::size_t{1} << 30;  // of all requests at once; 503
  std::size_t most_pipelined_bytes = std::size_t{64} << 10;     // read ahead while a request is answered
  std::size_t most_unsent_bytes = std::size_t{1} << 20;         // of one stream (Responder::write)

  std::chrono::milliseconds idle_timeout{75'000};      // from one request to the next
  std::chrono::milliseconds header_timeout{10'000};    // from the first byte of a head to its last; 408
  std::chrono::milliseconds body_timeout{30'000};      // for a body, beside what least_body_rate gives; 408
  std::size_t least_body_rate = std::size_t{8} << 10;  // bytes a second that a long body has to come at
  std::chrono::milliseconds write_timeout{
      30'000};  // in which a client takes nothing of what is sent: it is cut
  std::chrono::milliseconds linger_timeout{
      2'000};  // for a client to read a refusal while it still sends a body
};

// A certificate chain and its key, both PEM. TLS 1.2 and 1.3.
struct TlsFiles {
  std::string certificate;
  std::string key;
};

// One answered request, told once the last byte is handed over or the client is gone.
struct AccessEntry {
  const ServerRequest& request;
  unsigned status = 0;              // 0: the client left before there was one
  std::size_t body_bytes = 0;       // of the answer
  bool complete = false;            // the client got all of it
  std::chrono::nanoseconds time{};  // since the head was read
};

// A refusal that the transport makes: its status and a fixed sentence for the client. Builds the answer, in
// the shape that clients of `path` expect; `path` is empty when none was understood.
using RefusalBody = std::function<Response(unsigned status, std::string_view message, std::string_view path)>;

struct ServerOptions {
  std::string address = "127.0.0.1";  // a name, an IPv4 or IPv6 address, or "unix:/path"
  std::uint16_t port = 8080;          // 0: any free one
  std::vector<int> activated_sockets =
      {};  // listening already (see systemd.h); address and port are not used then
  std::optional<TlsFiles> tls = std::nullopt;
  unsigned io_threads = 1;
  unsigned handler_threads = 4;
  ServerLimits limits = {};
  TrustedProxies trusted_proxies = {};                     // whose word is taken for who asks
  RefusalBody refusal_body = {};                           // empty: {"error":{"message":...,"code":...}}
  std::function<void(const AccessEntry&)> on_answer = {};  // on an I/O thread; must not wait
};

}  // namespace carat::http
