#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/result.h"
#include "http/router.h"
#include "http/server_options.h"

namespace carat::http {

// What a server holds at this moment.
struct ServerStatistics {
  std::size_t connections = 0;
  std::size_t requests = 0;        // being read or answered
  std::size_t buffered_bytes = 0;  // input not yet understood, bodies, and output not yet sent
  std::uint64_t accepted = 0;      // connections since the start
  std::uint64_t refused = 0;       // of them, because there were too many
};

// An HTTP/1.1 server. It knows nothing of what its handlers do; see ServerLimits for what clients may do.
class Server {
 public:
  // Binds and listens; nothing is accepted yet, but clients can connect. kUsage for an address that cannot be
  // used or a certificate that cannot be read, kNetwork when the port is taken.
  static Result<Server> listen(ServerOptions options);

  ~Server();  // stop()
  Server(Server&&) noexcept;
  Server& operator=(Server&&) = delete;

  std::uint16_t port() const;  // of the first socket; 0 for a unix-domain socket

  // Accepts on threads of its own from here on. Once.
  void start(Router router);

  // Stops accepting, closes idle connections, lets requests that came before run until `limit` is over; then
  // fires their stop tokens, gives them `grace` to say goodbye, and cuts what is left. Answers that begin
  // meanwhile say Connection: close. Returns when no connection is left: how many were cut. From any thread
  // but the server's.
  std::size_t drain(std::chrono::milliseconds limit,
                    std::chrono::milliseconds grace = std::chrono::milliseconds{500});

  // drain() without waiting, then ends the threads; handlers that run are waited for.
  void stop();

  ServerStatistics statistics() const;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace carat::http
