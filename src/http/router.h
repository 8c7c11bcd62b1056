#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/responder.h"
#include "http/server_request.h"

namespace carat::http {

// Answers a request through the responder, at once or later, from whatever thread. The request lives as long
// as somebody holds it. An exception becomes a 500.
using Handler = std::function<void(std::shared_ptr<const ServerRequest>, Responder)>;

// Where a handler is called.
enum class RunOn {
  kIoThread,  // for what takes microseconds and never waits: it holds up other connections
  kWorker,    // one of the server's handler threads: may compute, read files, wait for a lock
};

// What a client means that closes its sending side while it waits for an answer.
enum class HalfClose {
  kCancels,  // the same as closing: the stop token fires. Clients of stateless routes are gone then (F23)
  kIgnored,  // it still reads: the answer is sent, and the connection closed after it
};

struct RouteOptions {
  std::uint32_t access = 0;  // for the Guard, in a numbering of its own
  RunOn run_on = RunOn::kWorker;
  HalfClose half_close = HalfClose::kCancels;
  std::optional<std::size_t> most_body_bytes = std::nullopt;  // instead of the server's limit
};

struct Route {
  std::string method;
  std::string pattern;
  Handler handler;
  RouteOptions options;
};

// What a Guard gives a request on its way.
struct Pass {
  std::vector<Header> headers = {};          // added to whatever answer follows (CORS, say)
  std::shared_ptr<Ticket> ticket = nullptr;  // becomes the request's
};

// Looks at a request whose head is read and whose body is not: authentication, Host and Origin, quotas.
// Called on an I/O thread for every request: it must not wait. `route` is null where none matches the path
// and the method. The error is the answer instead.
using Guard = std::function<std::expected<Pass, Response>(const ServerRequest&, const Route* route)>;

// Which handler answers which method and path. What was not added is refused: 404 for a path, 405 with Allow
// for a method. HEAD is answered by GET's handler (its body is not sent), OPTIONS by the router, unless added
// themselves.
class Router {
 public:
  // What a path holds.
  struct Match {
    const Route* route = nullptr;  // null: no such path, or none for this method
    std::string allow;             // "GET, HEAD, OPTIONS": what the path has; empty: there is no such path
    NamedValues params;
  };

  // `pattern`: "/v1/models/{id}"; {name} is one segment, {name...} as the last the rest, one segment or more.
  // A fixed segment goes before a named one. A pattern that is malformed or there twice is our bug and
  // aborts.
  void add(std::string_view method, std::string_view pattern, Handler handler, RouteOptions options = {});

  void set_guard(Guard guard) { guard_ = std::move(guard); }
  const Guard& guard() const { return guard_; }

  // `path` as decode_path() gives it. The route lives as long as the router.
  Match find(std::string_view method, std::string_view path) const;

  // All routes in the order in which they were added, for documentation and tests that compare them with it.
  const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }

 private:
  std::vector<std::unique_ptr<Route>> routes_;
  Guard guard_;
};

}  // namespace carat::http
