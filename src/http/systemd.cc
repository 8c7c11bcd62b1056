#include "http/systemd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>

namespace carat::http {
namespace {

constexpr int kMostSockets = 16;

template <class Number>
std::optional<Number> parse_number(const std::string& text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_listening_stream(int descriptor) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &value, &size) != 0 || value != SOCK_STREAM) return false;
  size = sizeof value;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value == 1;
}

}  // namespace

Result<std::vector<int>> activated_sockets(const Lookup& environment, long process, int first) {
  const auto owner = environment("LISTEN_PID");
  const auto count = environment("LISTEN_FDS");
  if (!owner || !count || parse_number<long>(*owner) != process) return std::vector<int>();
  const auto sockets = parse_number<int>(*count);
  if (!sockets || *sockets < 0 || *sockets > kMostSockets) {
    return fail(ErrorKind::kUsage, "LISTEN_FDS: expected a number up to {}, found {}", kMostSockets, *count);
  }
  std::vector<int> descriptors;
  for (int descriptor = first; descriptor < first + *sockets; ++descriptor) {
    if (!is_listening_stream(descriptor)) {
      return fail(ErrorKind::kUsage, "LISTEN_FDS: descriptor {} is not a listening stream socket",
                  descriptor);
    }
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    descriptors.push_back(descriptor);
  }
  return descriptors;
}

ServiceNotifier::ServiceNotifier(const Lookup& environment)
    : socket_(environment("NOTIFY_SOCKET").value_or("")) {
  const auto period = environment("WATCHDOG_USEC");
  const auto owner = environment("WATCHDOG_PID");
  if (owner && parse_number<long>(*owner) != ::getpid()) return;
  if (!period) return;
  if (const auto count = parse_number<std::int64_t>(*period); count && *count > 0) {
    watchdog_ = std::chrono::microseconds(*count);
  }
}

bool ServiceNotifier::notify(std::string_view state) const {
  sockaddr_un address = {};
  const bool is_usable = socket_.size() > 1 && socket_.size() < sizeof address.sun_path &&
                         (socket_.front() == '/' || socket_.front() == '@');
  if (!is_usable) return false;
  address.sun_family = AF_UNIX;
  socket_.copy(address.sun_path, socket_.size());
  if (socket_.front() == '@') address.sun_path[0] = '\0';  // an abstract one
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return false;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const ssize_t sent = ::sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), size);
  ::close(descriptor);
  return sent == static_cast<ssize_t>(state.size());
}

}  // namespace carat::http
