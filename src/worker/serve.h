#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace carat::worker {

// What a worker can do. The request comes from the program, but what lies in it is hostile.
struct Job {
  std::string_view name;
  void (*prepare)();  // before the locks fall: loads libraries and whatever else takes files; may be null
  std::function<Result<std::vector<std::byte>>(std::span<const std::byte> request)> run;
  bool repeated = false;  // it is asked again and again, until the program closes the socket
};

// The job that every worker program knows: it replies with the layers of lock_down().
inline constexpr std::string_view kSandboxJob = "sandbox";

// The whole life of a worker process, whose standard input is a socket to the program that started it:
// prepares the named job, locks itself down, takes one request (or more, where the job is repeated), replies
// and returns the exit status. Nothing is printed: standard output and error lead nowhere.
int serve(std::span<const Job> jobs, std::string_view name);

}  // namespace carat::worker
