#include "worker/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

namespace carat::worker {
namespace {

// The environment may hold secrets (access tokens), and a worker needs none of it.
std::vector<std::string> worker_environment() {
  std::vector<std::string> variables;
  if (const char* path = std::getenv("LD_LIBRARY_PATH")) {
    variables.push_back(std::string("LD_LIBRARY_PATH=") + path);
  }
  return variables;
}

std::vector<char*> null_terminated(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The error number of posix_spawn; 0 when the process runs.
int spawn(const std::string& program, const std::string& argument, int socket, pid_t& process) {
  std::vector<std::string> arguments = {program, argument};
  std::vector<std::string> environment = worker_environment();
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&files, socket, STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // Its own process group: Ctrl-C is for the program, which then ends its workers.
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  sigset_t signals;
  sigemptyset(&signals);
  ::posix_spawnattr_setsigmask(&attributes, &signals);
  sigfillset(&signals);
  ::posix_spawnattr_setsigdefault(&attributes, &signals);
  const int error = ::posix_spawn(&process, program.c_str(), &files, &attributes,
                                  null_terminated(arguments).data(), null_terminated(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  return error;
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::string& program, const std::string& argument) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(ErrorKind::kFailed, "cannot make a socket for a worker: {}", std::strerror(errno));
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  pid_t process = 0;
  const int error = spawn(program, argument, ends[1], process);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    if (error == ENOENT) {
      return fail(
          ErrorKind::kNotFound,
          "{}: there is no such program, and work on input from outside is done by it: install Carat anew",
          program);
    }
    return fail(ErrorKind::kFailed, "{}: cannot start: {}", program, std::strerror(error));
  }
  return ChildProcess(process, ends[0]);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : process_(std::exchange(other.process_, 0)), socket_(std::exchange(other.socket_, -1)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(process_, other.process_);
  std::swap(socket_, other.socket_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (process_ > 0) end();
  if (socket_ >= 0) ::close(socket_);
}

ChildProcess::Transfer ChildProcess::wait_for(short event, Deadline deadline) const {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Transfer::kLate;
    pollfd watched = {socket_, event, 0};
    const auto most = std::min<std::int64_t>(left.count(), std::numeric_limits<int>::max());
    const int ready = ::poll(&watched, 1, static_cast<int>(most));
    if (ready > 0) return Transfer::kDone;
    if (ready < 0 && errno != EINTR) return Transfer::kClosed;
  }
}

ChildProcess::Transfer ChildProcess::send(std::span<const std::byte> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (const Transfer ready = wait_for(POLLOUT, deadline); ready != Transfer::kDone) return ready;
    } else if (errno != EINTR) {
      return Transfer::kClosed;
    }
  }
  return Transfer::kDone;
}

ChildProcess::Transfer ChildProcess::receive(std::span<std::byte> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (count > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (count < 0 && errno == EAGAIN) {
      if (const Transfer ready = wait_for(POLLIN, deadline); ready != Transfer::kDone) return ready;
    } else if (count == 0 || errno != EINTR) {
      return Transfer::kClosed;
    }
  }
  return Transfer::kDone;
}

Result<> ChildProcess::limit(int resource, std::uint64_t soft, std::uint64_t hard) {
  const rlimit limits = {soft, hard};
  if (::prlimit(process_, static_cast<__rlimit_resource>(resource), &limits, nullptr) != 0) {
    return fail(ErrorKind::kFailed, "cannot limit a worker: {}", std::strerror(errno));
  }
  return {};
}

void ChildProcess::kill() const { ::kill(process_, SIGKILL); }

int ChildProcess::end() {
  kill();  // changes nothing in a process that is already ending
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = 0;
  return status;
}

}  // namespace carat::worker
