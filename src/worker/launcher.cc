#include "worker/launcher.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "worker/message.h"

namespace carat::worker {
namespace {

using Transfer = ChildProcess::Transfer;

constexpr std::size_t kMaxMessage = 1000;  // bytes of a failed job's message that are shown

Result<> apply(const Limits& limits, ChildProcess& child) {
  const auto seconds = static_cast<std::uint64_t>(limits.processor_time.count());
  if (kWithoutSanitizer) CARAT_TRY_VOID(child.limit(RLIMIT_AS, limits.memory_bytes, limits.memory_bytes));
  CARAT_TRY_VOID(child.limit(RLIMIT_CPU, seconds, seconds + 1));  // SIGXCPU, then SIGKILL
  CARAT_TRY_VOID(child.limit(RLIMIT_FSIZE, 0, 0));
  return child.limit(RLIMIT_CORE, 0, 0);
}

// What became of a worker that closed the connection before its reply was complete.
Error death(int status, const Limits& limits) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
    return {ErrorKind::kFailed,
            fmt::format("the worker was ended after {} s of processor time", limits.processor_time.count())};
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
    return {ErrorKind::kFailed,
            "the worker was ended for a forbidden system call: the file may be an attack"};
  }
  if (WIFSIGNALED(status)) {
    return {ErrorKind::kFailed, fmt::format("the worker died of signal {} ({})", WTERMSIG(status),
                                            ::strsignal(WTERMSIG(status)))};
  }
  return {ErrorKind::kFailed,
          fmt::format("the worker ended with status {} and no answer", WEXITSTATUS(status))};
}

// A worker's messages are ours, and in ASCII, unless it has been taken over.
std::string printable_ascii(std::string_view text) {
  std::string clean(text);
  std::ranges::replace_if(clean, [](char c) { return c < ' ' || c > '~'; }, '?');
  return clean;
}

struct Answer {
  Transfer transfer = Transfer::kDone;  // how far it got
  Result<std::vector<std::byte>> reply = {};
  bool broken = false;  // what came was no reply, or not all of one was read
};

Answer exchange(ChildProcess& child, std::span<const std::byte> request, const Limits& limits) {
  const auto deadline = std::chrono::steady_clock::now() + limits.wall_time;
  const HeaderBytes header = encode_header({MessageKind::kRequest, request.size()});
  // A worker may reply before it has read everything: then the connection is closed, and its reply still
  // there.
  if (child.send(header, deadline) == Transfer::kDone && child.send(request, deadline) == Transfer::kLate) {
    return {Transfer::kLate};
  }
  HeaderBytes reply_header{};
  if (const Transfer got = child.receive(reply_header, deadline); got != Transfer::kDone) return {got};
  const auto reply = decode_header(reply_header, limits.reply_bytes);
  if (!reply) return {Transfer::kDone, std::unexpected(reply.error()), true};
  const bool done = reply->kind == MessageKind::kDone;
  std::vector<std::byte> bytes(done ? reply->length : std::min<std::uint64_t>(reply->length, kMaxMessage));
  if (const Transfer got = child.receive(bytes, deadline); got != Transfer::kDone) return {got};
  if (done) return {Transfer::kDone, std::move(bytes)};
  const std::string_view message(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return {Transfer::kDone, fail(ErrorKind::kFailed, "{}", printable_ascii(message)),
          reply->length > kMaxMessage};
}

}  // namespace

std::string installed_program() {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const std::filesystem::path installed = folder.parent_path() / "libexec" / "carat" / "carat-worker";
  return (std::filesystem::exists(installed, error) ? installed : folder / "carat-worker").string();
}

Launcher::Launcher(std::string program, Limits limits) : program_(std::move(program)), limits_(limits) {}

Result<std::vector<std::byte>> Launcher::run(const std::string& job, std::span<const std::byte> request,
                                             const std::stop_token& stop) const {
  CARAT_TRY(Session session, Session::start(program_, job, limits_));
  return session.ask(request, stop);
}

Result<Session> Session::start(const std::string& program, const std::string& job, const Limits& limits) {
  CARAT_TRY(ChildProcess child, ChildProcess::start(program, job));
  CARAT_TRY_VOID(apply(limits, child));
  return Session(std::move(child), limits);
}

Result<std::vector<std::byte>> Session::ask(std::span<const std::byte> request, const std::stop_token& stop) {
  if (!alive_) return fail(ErrorKind::kFailed, "the worker has ended");
  Answer answer = [&] {
    // The process is waited for only afterwards: until then its number is its own, whoever ends it.
    const std::stop_callback end_early(stop, [this] { child_.kill(); });
    return exchange(child_, request, limits_);
  }();
  alive_ = answer.transfer == Transfer::kDone && !answer.broken && !stop.stop_requested();
  if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
  switch (answer.transfer) {
    case Transfer::kDone: return std::move(answer.reply);
    case Transfer::kClosed: return std::unexpected(death(child_.end(), limits_));
    case Transfer::kLate: child_.end(); break;
  }
  return fail(ErrorKind::kFailed, "the worker was ended after {:.3g} s",
              std::chrono::duration<double>(limits_.wall_time).count());
}

}  // namespace carat::worker
