#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"

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

// Starts a process for each job, so that a file that takes one over finds nothing of the next.
class Launcher {
 public:
  explicit Launcher(std::string program, Limits limits = {});

  // Has a new worker do the named job and returns its reply. Fails with the job's own message; when the
  // worker dies (the message says of what), or breaks a limit; with kInterrupted when `stop` is requested,
  // which kills the worker. The request is empty where the job takes none.
  Result<std::vector<std::byte>> run(const std::string& job, std::span<const std::byte> request,
                                     std::stop_token stop = {}) const;

 private:
  std::string program_;
  Limits limits_;
};

}  // namespace carat::worker
