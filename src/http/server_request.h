#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/message.h"

namespace carat::http {

// Who asks: the other end of the connection, or whom a trusted proxy there speaks for.
struct Peer {
  std::string address;        // "127.0.0.1", "::1"; "unix" for a unix-domain socket
  std::uint16_t port = 0;     // 0 for a unix-domain socket, and behind a proxy
  bool is_loopback = false;   // this machine: 127.0.0.0/8, ::1, or a unix-domain socket
  bool is_encrypted = false;  // TLS
};

// What a Guard wants to be told of a request that it let in. It goes with the request, which may outlive its
// answer.
class Ticket {
 public:
  virtual ~Ticket() = default;
  // The answer is complete; its last bytes are not sent yet, so whatever this gives back is there for the
  // client's next request. From any thread, perhaps more than once, or never where the client left early.
  virtual void on_answered() = 0;
};

using NamedValues = std::vector<std::pair<std::string, std::string>>;

// One request as the server read it: everything is checked against the server's limits and decoded. Immutable
// once a handler sees it, and so readable from any thread.
//
// Headers that decide how a request is understood (Host, Content-Length, Transfer-Encoding, Content-Type,
// Content-Encoding, Authorization, X-Api-Key, Origin, Expect, X-Request-Id, Sec-Fetch-Site) never come twice:
// such a request is answered with 400 before anybody sees it.
struct ServerRequest {
  std::string method;  // "GET", as sent; HEAD reaches the handler of GET as "HEAD"
  std::string path;  // percent-decoded UTF-8; begins with '/', no "." or ".." segments, no control characters
  std::string
      route;  // pattern of the route, "/v1/models/{id}": a label of bounded number; empty: none matched
  NamedValues params;   // from the pattern, decoded
  NamedValues queries;  // in order, decoded
  std::vector<Header> headers;
  std::string body;  // empty while a Guard looks at the request
  Peer peer;
  std::shared_ptr<Ticket> ticket = nullptr;  // the guard's; null where it gave none
  std::string id;  // of this request: the client's x-request-id where it is one, or a random one

  // Requested when nobody waits for the answer any more: the client closed or reset the connection, or
  // half-closed it on a route that says so; it does not read what it asked for; or the server stops.
  // Callbacks on it run on the server's threads: they must return at once.
  std::stop_token stop;

  // The first value of that name; nullopt when there is none. Header names in whatever case.
  std::optional<std::string_view> header(std::string_view name) const { return find_header(headers, name); }
  std::optional<std::string_view> param(std::string_view name) const;
  std::optional<std::string_view> query(std::string_view name) const;

  // Whether Content-Type names this media type ("application/json"), in whatever case, parameters aside.
  bool has_media_type(std::string_view type) const;
};

}  // namespace carat::http
