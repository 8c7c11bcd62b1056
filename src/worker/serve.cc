#include "worker/serve.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <new>

#include "worker/lockdown.h"
#include "worker/message.h"

namespace carat::worker {
namespace {

constexpr int kSocket = STDIN_FILENO;
constexpr std::uint64_t kMaxRequest = std::uint64_t{1} << 32;  // the memory limit comes first

bool read_all(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::read(kSocket, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

bool write_all(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(kSocket, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

bool reply(MessageKind kind, std::span<const std::byte> bytes) {
  return write_all(encode_header({kind, bytes.size()})) && write_all(bytes);
}

bool reply(const Error& error) {
  return reply(MessageKind::kFailed, std::as_bytes(std::span(error.message)));
}

Result<std::vector<std::byte>> take_request_and_run(const Job& job, const HeaderBytes& header_bytes) {
  CARAT_TRY(const MessageHeader header, decode_header(header_bytes, kMaxRequest));
  try {
    std::vector<std::byte> request(header.length);
    if (!read_all(request)) return fail(ErrorKind::kFailed, "the request ended early");
    return job.run(request);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kFailed, "it needs more memory than a worker may use");
  }
}

// False where a reply could not be sent, or none was asked for.
bool answer_requests(const Job& job) {
  bool replied = false;
  for (HeaderBytes header{}; read_all(header);) {
    const auto done = take_request_and_run(job, header);
    replied = done ? reply(MessageKind::kDone, *done) : reply(done.error());
    if (!replied || !job.repeated) break;
  }
  return replied;
}

}  // namespace

int serve(std::span<const Job> jobs, std::string_view name) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::close_range(3, ~0U, 0);
  const auto job = std::ranges::find(jobs, name, &Job::name);
  const bool known = job != jobs.end();
  if (!known && name != kSandboxJob) return EXIT_FAILURE;
  if (known && job->prepare != nullptr) job->prepare();
  const auto layers = lock_down();
  bool replied = false;
  if (!layers) {
    replied = reply(layers.error());
  } else if (!known) {
    replied = reply(MessageKind::kDone, std::as_bytes(std::span(*layers)));
  } else {
    replied = answer_requests(*job);
  }
  return replied ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace carat::worker
