#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "worker/child_process.h"

namespace carat::worker {

// Address and thread sanitizers reserve terabytes of address space: under them there is no memory limit.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kWithoutSanitizer = false;
#elif defined(__has_feature)
inline constexpr bool kWithoutSanitizer =
    !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
inline constexpr bool kWithoutSanitizer = true;
#endif

// What one worker may use; the kernel holds it to the first two.
struct Limits {
  std::uint64_t memory_bytes = std::uint64_t{2} << 30;  // of address space
  std::chrono::seconds processor_time{60};
  std::chrono::milliseconds wall_time{60'000};
  std::uint64_t reply_bytes = std::uint64_t{256} << 20;
};

// The worker program of this installation: carat-worker beside the running program, or in ../libexec/carat.
std::string installed_program();

// One worker process, asked again and again: for jobs that take long to get ready. What takes it over sees
// the later requests, so a job that reads files from outside has a process for each, by Launcher.
class Session {
 public:
  // The limit of processor time is that of the whole session, the others are those of each request.
  static Result<Session> start(const std::string& program, const std::string& job, const Limits& limits);

  // As Launcher::run. After a failure that is not the job's own message the process is gone, and so it is
  // after kInterrupted: see is_alive().
  Result<std::vector<std::byte>> ask(std::span<const std::byte> request, const std::stop_token& stop = {});
  bool is_alive() const { return alive_; }

 private:
  Session(ChildProcess child, const Limits& limits) : child_(std::move(child)), limits_(limits) {}

  ChildProcess child_;
  Limits limits_;
  bool alive_ = true;
};

// Starts a process for each job, so that a file that takes one over finds nothing of the next.
class Launcher {
 public:
  explicit Launcher(std::string program, Limits limits = {});

  // Has a new worker do the named job and returns its reply. Fails with the job's own message; when the
  // worker dies (the message says of what), or breaks a limit; with kInterrupted when `stop` is requested,
  // which kills the worker. The request is empty where the job takes none.
  Result<std::vector<std::byte>> run(const std::string& job, std::span<const std::byte> request,
                                     const std::stop_token& stop = {}) const;

 private:
  std::string program_;
  Limits limits_;
};

}  // namespace carat::worker
