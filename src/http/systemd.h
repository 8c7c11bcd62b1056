#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/proxy.h"

namespace carat::http {

// Sockets that systemd (or whoever started this process) opened for it: LISTEN_FDS and LISTEN_PID, as
// sd_listen_fds(3) has it. Empty when there are none, or they are for another process. kUsage for a number
// that is none, or a descriptor that is not a listening stream socket.
//   process   our own id
//   first     number of the first descriptor; 3, unless in a test
Result<std::vector<int>> activated_sockets(const Lookup& environment, long process, int first = 3);

// Tells systemd how this process is (sd_notify(3)); does nothing where nobody asked.
class ServiceNotifier {
 public:
  explicit ServiceNotifier(const Lookup& environment);

  bool is_wanted() const { return !socket_.empty(); }

  // "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=...". False when it could not be told.
  bool notify(std::string_view state) const;

  // How often "WATCHDOG=1" has to come, at the latest; nullopt: never. Send it twice as often.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
  std::string socket_;
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace carat::http
