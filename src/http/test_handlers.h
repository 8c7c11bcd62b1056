#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "http/server.h"

namespace carat::http {

// Counts what happens on the server's threads, for a test that waits for it.
class EventCount {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  // False when it takes longer than a minute, which is a failure and not a matter of speed.
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1), [&] { return count_ >= count; });
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
};

// A handler that keeps its responders, so that the test answers, and counts requests and fired stop tokens.
class HeldRequests {
 public:
  struct Held {
    std::shared_ptr<const ServerRequest> request;
    Responder responder;
    std::unique_ptr<std::stop_callback<std::function<void()>>> on_stop;
  };

  // With `begin`, each request's answer begins so.
  Handler handler(std::function<void(const Responder&)> begin = {}) {
    return
        [this, begin = std::move(begin)](std::shared_ptr<const ServerRequest> request, Responder responder) {
          if (begin) begin(responder);
          auto on_stop = std::make_unique<std::stop_callback<std::function<void()>>>(
              request->stop, [this] { stopped.add(); });
          {
            const std::lock_guard lock(mutex_);
            held_.push_back({std::move(request), std::move(responder), std::move(on_stop)});
          }
          arrived.add();
        };
  }

  Responder responder(std::size_t index) const {
    const std::lock_guard lock(mutex_);
    return held_.at(index).responder;
  }

  // Drops everything that is held, its responders too.
  void clear() {
    std::vector<Held> dropped;
    {
      const std::lock_guard lock(mutex_);
      dropped.swap(held_);
    }
  }

  EventCount arrived;
  EventCount stopped;

 private:
  mutable std::mutex mutex_;
  std::vector<Held> held_;
};

// For what a server reaches soon and tells nobody. False when it takes longer than a minute.
inline bool reaches(const std::function<bool()>& is_so) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

inline ServerOptions test_options() {
  ServerOptions options;
  options.port = 0;
  options.handler_threads = 2;
  return options;
}

inline Server start_server(Router router, ServerOptions options = test_options()) {
  auto server = Server::listen(std::move(options));
  CARAT_CHECK(server.has_value());
  server->start(std::move(router));
  return std::move(*server);
}

// Answers with what it got: "METHOD PATH BODY".
inline Handler echo() {
  return [](const std::shared_ptr<const ServerRequest>& request, const Responder& responder) {
    responder.send({.status = 200,
                    .headers = {{"Content-Type", "text/plain"}},
                    .body = request->method + " " + request->path + " " + request->body});
  };
}

}  // namespace carat::http
