#include "http/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace carat::http {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
  sockaddr_un local;
  sockaddr_storage storage;
};

std::string reason(int error) { return std::generic_category().message(error); }

// Binds a new socket and lets it listen; the reason in `error` otherwise, and -1.
int listen_on(const sockaddr* address, socklen_t size, int& error) {
  const int descriptor = ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    error = errno;
    return -1;
  }
  const int on = 1;
  if (address->sa_family != AF_UNIX) ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(descriptor, address, size) == 0 && ::listen(descriptor, SOMAXCONN) == 0) return descriptor;
  error = errno;
  ::close(descriptor);
  return -1;
}

// A socket file that was left behind by a process that is gone, and nothing else.
bool is_abandoned(const sockaddr_un& address) {
  struct stat status = {};
  if (::lstat(address.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return false;
  const bool is_refused =
      ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno == ECONNREFUSED;
  ::close(descriptor);
  return is_refused;
}

void set_ip_address(const SocketAddress& from, Peer& peer) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  in_addr v4 = from.v4.sin_addr;
  bool is_v4 = from.any.sa_family == AF_INET;
  if (!is_v4 && IN6_IS_ADDR_V4MAPPED(&from.v6.sin6_addr)) {  // IPv4 by way of a socket for both
    std::memcpy(&v4, &from.v6.sin6_addr.s6_addr[12], sizeof v4);
    is_v4 = true;
  }
  if (is_v4) {
    ::inet_ntop(AF_INET, &v4, text.data(), text.size());
    peer.is_loopback = (ntohl(v4.s_addr) >> 24) == 127;
  } else {
    ::inet_ntop(AF_INET6, &from.v6.sin6_addr, text.data(), text.size());
    peer.is_loopback = IN6_IS_ADDR_LOOPBACK(&from.v6.sin6_addr);
  }
  peer.address = text.data();
  peer.port = ntohs(from.any.sa_family == AF_INET ? from.v4.sin_port : from.v6.sin6_port);
}

SocketAddress own_address(int descriptor) {
  SocketAddress address = {};
  socklen_t size = sizeof address;
  ::getsockname(descriptor, &address.any, &size);
  return address;
}

}  // namespace

Result<Listener> Listener::open(const std::string& address, std::uint16_t port) {
  if (address.starts_with(kUnixPrefix)) return open_unix(address.substr(kUnixPrefix.size()));
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int found = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (found != 0) return fail(ErrorKind::kUsage, "cannot listen on {}: {}", address, ::gai_strerror(found));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  int error = 0;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    const int descriptor = listen_on(entry->ai_addr, entry->ai_addrlen, error);
    if (descriptor >= 0) return Listener(descriptor, "");
  }
  if (error == EADDRINUSE) {
    return fail(ErrorKind::kNetwork,
                "cannot listen on {} port {}: another program uses it; choose another port", address, port);
  }
  return fail(ErrorKind::kUsage, "cannot listen on {} port {}: {}", address, port, reason(error));
}

Result<Listener> Listener::open_unix(const std::string& path) {
  SocketAddress address = {};
  address.local.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.local.sun_path) {
    return fail(ErrorKind::kUsage, "cannot listen on unix:{}: the path must have 1 to {} bytes", path,
                sizeof address.local.sun_path - 1);
  }
  path.copy(address.local.sun_path, path.size());
  int error = 0;
  int descriptor = listen_on(&address.any, sizeof address.local, error);
  if (descriptor < 0 && error == EADDRINUSE && is_abandoned(address.local)) {
    ::unlink(path.c_str());
    descriptor = listen_on(&address.any, sizeof address.local, error);
  }
  if (descriptor >= 0) return Listener(descriptor, path);
  return fail(error == EADDRINUSE ? ErrorKind::kNetwork : ErrorKind::kUsage, "cannot listen on unix:{}: {}",
              path, reason(error));
}

Listener::Listener(Listener&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::exchange(other.path_, {})) {}

Listener::~Listener() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!path_.empty()) ::unlink(path_.c_str());
}

int Listener::family() const { return own_address(descriptor_).any.sa_family; }

std::uint16_t Listener::port() const {
  const SocketAddress address = own_address(descriptor_);
  if (address.any.sa_family == AF_INET) return ntohs(address.v4.sin_port);
  if (address.any.sa_family == AF_INET6) return ntohs(address.v6.sin6_port);
  return 0;
}

int Listener::release() { return std::exchange(descriptor_, -1); }

Peer peer_of(int descriptor) {
  Peer peer;
  SocketAddress address = {};
  socklen_t size = sizeof address;
  if (::getpeername(descriptor, &address.any, &size) != 0) return peer;
  if (address.any.sa_family == AF_UNIX) {
    peer.address = "unix";
    peer.is_loopback = true;
  } else if (address.any.sa_family == AF_INET || address.any.sa_family == AF_INET6) {
    set_ip_address(address, peer);
  }
  return peer;
}

void tune_connection(int descriptor) {
  if (own_address(descriptor).any.sa_family == AF_UNIX) return;
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

}  // namespace carat::http
