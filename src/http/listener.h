#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "http/server_request.h"

namespace carat::http {

// A listening socket, closed with this object; the file of a unix-domain socket is removed with it.
class Listener {
 public:
  // `address`: a name, an IPv4 or IPv6 address, or "unix:/path" (a socket file that nobody listens on any
  // more is replaced). kUsage for an address that cannot be used, kNetwork when the port is taken.
  static Result<Listener> open(const std::string& address, std::uint16_t port);

  // Takes over one that listens already.
  static Listener adopt(int descriptor) { return Listener(descriptor, ""); }

  ~Listener();
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;

  int family() const;          // AF_INET, AF_INET6 or AF_UNIX
  std::uint16_t port() const;  // 0 for AF_UNIX
  int release();               // the descriptor is the caller's to close

 private:
  Listener(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  static Result<Listener> open_unix(const std::string& path);

  int descriptor_;
  std::string path_;
};

// Who is at the other end of a connected socket; an empty address when it is gone already.
Peer peer_of(int descriptor);

// Turns off what delays small packets, and on what finds out that the other machine is gone.
void tune_connection(int descriptor);

}  // namespace carat::http
