#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace carat::worker {

// A started program at the other end of a socket, which is its standard input. Killed and waited for by the
// destructor at the latest.
class ChildProcess {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  // Nothing is inherited but the socket: no other files, no environment but the library path, no terminal
  // signals. kNotFound when there is no such program.
  static Result<ChildProcess> start(const std::string& program, const std::string& argument);
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;

  enum class Transfer { kDone, kClosed, kLate };
  Transfer send(std::span<const std::byte> bytes, Deadline deadline);
  Transfer receive(std::span<std::byte> bytes, Deadline deadline);

  // Sets both limits of one resource (RLIMIT_AS, ...); `hard` is never below `soft`.
  Result<> limit(int resource, std::uint64_t soft, std::uint64_t hard);

  void kill() const;

  // Kills it unless it has ended, and returns the status of waitpid().
  int end();

 private:
  ChildProcess(pid_t process, int socket) : process_(process), socket_(socket) {}
  Transfer wait_for(short event, Deadline deadline) const;

  pid_t process_;
  int socket_;
};

}  // namespace carat::worker
