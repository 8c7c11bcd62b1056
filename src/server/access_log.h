#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "http/server_options.h"
#include "server/task_thread.h"

namespace carat::server {

// One answered request as a line for people, or as a JSON object: who, what, status, bytes, seconds, id.
// Without anything that somebody wrote: no text of a prompt, no query, and of the path only the route's
// pattern.
//   time   "2026-11-24T20:00:00Z"
std::string access_line(const http::AccessEntry& entry, std::string_view time, bool as_json);

// A failure whose details are not for the client, under the id that the client was told.
std::string failure_line(std::string_view request_id, std::string_view message, std::string_view time,
                         bool as_json);

// Writes such lines on a thread of its own, so that whoever answers requests never waits for the log's
// reader. When that is far behind, lines are dropped.
class AccessLog {
 public:
  struct Options {
    bool as_json = false;
    std::function<void(std::string_view line)> write;  // on the log's thread; the line has no line break
    std::function<std::string()> time;
  };
  explicit AccessLog(Options options) : options_(std::move(options)) {}

  void record(const http::AccessEntry& entry);
  void record_failure(std::string_view request_id, std::string_view message);

 private:
  void post(std::string line);

  static constexpr std::size_t kMostWaiting = 10'000;

  Options options_;
  TaskThread thread_{kMostWaiting};  // last: it uses the options
};

}  // namespace carat::server
