#pragma once

#include <atomic>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "http/router.h"
#include "http/server_options.h"

namespace carat::http {

class Connection;

// What all connections of a server share.
struct ServerCore {
  std::shared_ptr<const ServerOptions> options;  // shared with answers, which may outlive the server
  Router router;
  std::unique_ptr<boost::asio::ssl::context> tls;      // null: in plain
  std::unique_ptr<boost::asio::thread_pool> handlers;  // where RunOn::kWorker runs
  std::atomic<std::size_t> requests = 0;
  std::atomic<std::size_t> buffered_bytes = 0;
  // Bodies of requests, which live as long as a handler holds them, perhaps longer than the server.
  std::shared_ptr<std::atomic<std::size_t>> body_bytes = std::make_shared<std::atomic<std::size_t>>(0);
  std::atomic<std::uint64_t> accepted = 0;
  std::atomic<std::uint64_t> refused = 0;

  std::mutex mutex;                 // for what follows
  std::condition_variable changed;  // a connection went
  std::unordered_set<std::shared_ptr<Connection>> connections;
  bool is_draining = false;
};

}  // namespace carat::http
