#include "http/server.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "http/connection.h"
#include "http/listener.h"
#include "http/server_core.h"
#include "http/tls_context.h"

namespace carat::http {
namespace {

namespace asio = boost::asio;
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

// After accept() failed: no descriptors are left, say. Trying again at once would burn a core.
constexpr std::chrono::milliseconds kAcceptPause{50};

// What a client gets that is one too many; not in TLS, whose handshake would cost more than it is worth.
constexpr std::string_view kTooManyConnections =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

}  // namespace

struct Server::Impl {
  explicit Impl(ServerOptions options) {
    core.options = std::make_shared<const ServerOptions>(std::move(options));
  }

  asio::awaitable<void> accept_all(Acceptor& acceptor);
  void admit(StreamSocket socket);
  void close_acceptors();
  void run_threads();
  bool wait_until_empty(std::chrono::milliseconds limit);
  template <class Function>
  std::size_t for_each_connection(Function function);

  ServerCore core;
  std::vector<Listener> listeners;  // until start(); a unix-domain one keeps its file until the end
  std::uint16_t port = 0;
  std::vector<std::thread> threads;
  asio::io_context context;
  asio::strand<asio::io_context::executor_type> accepting{context.get_executor()};
  std::vector<std::unique_ptr<Acceptor>> acceptors;
  bool is_accepting = false;
};

asio::awaitable<void> Server::Impl::accept_all(Acceptor& acceptor) {
  asio::steady_timer pause(accepting);
  while (acceptor.is_open()) {
    StreamSocket socket(asio::make_strand(context));
    const auto [error] = co_await acceptor.async_accept(socket, kAwait);
    if (!error) {
      admit(std::move(socket));
    } else if (acceptor.is_open()) {
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(kAwait);
    }
  }
}

void Server::Impl::admit(StreamSocket socket) {
  ++core.accepted;
  std::unique_lock lock(core.mutex);
  if (core.is_draining) return;
  if (core.connections.size() >= core.options->limits.most_connections) {
    lock.unlock();
    ++core.refused;
    if (core.tls == nullptr) {
      ::send(socket.native_handle(), kTooManyConnections.data(), kTooManyConnections.size(),
             MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return;
  }
  const auto connection = std::make_shared<Connection>(core, std::move(socket));
  core.connections.insert(connection);
  lock.unlock();  // starting may run it here, to its end
  connection->start();
}

// Returns when nobody can connect any more.
void Server::Impl::close_acceptors() {
  if (!std::exchange(is_accepting, false)) return;
  std::promise<void> closed;
  asio::post(accepting, [&] {
    for (const auto& acceptor : acceptors) {
      boost::system::error_code ignored;
      acceptor->close(ignored);
    }
    closed.set_value();
  });
  closed.get_future().wait();
}

void Server::Impl::run_threads() {
  for (unsigned i = 0; i < std::max(core.options->io_threads, 1U); ++i) {
    threads.emplace_back([this] { context.run(); });
  }
}

bool Server::Impl::wait_until_empty(std::chrono::milliseconds limit) {
  std::unique_lock lock(core.mutex);
  return core.changed.wait_for(lock, limit, [this] { return core.connections.empty(); });
}

template <class Function>
std::size_t Server::Impl::for_each_connection(Function function) {
  const std::lock_guard lock(core.mutex);
  for (const auto& connection : core.connections) function(*connection);
  return core.connections.size();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::Server(Server&&) noexcept = default;
Server::~Server() {
  if (impl_ != nullptr) stop();
}

Result<Server> Server::listen(ServerOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  const ServerOptions& settings = *impl->core.options;
  if (settings.tls) {
    CARAT_TRY(impl->core.tls, load_tls(*settings.tls));
  }
  for (const int descriptor : settings.activated_sockets)
    impl->listeners.push_back(Listener::adopt(descriptor));
  if (impl->listeners.empty()) {
    CARAT_TRY(Listener listener, Listener::open(settings.address, settings.port));
    impl->listeners.push_back(std::move(listener));
  }
  impl->port = impl->listeners.front().port();
  return Server(std::move(impl));
}

std::uint16_t Server::port() const { return impl_->port; }

void Server::start(Router router) {
  CARAT_CHECK(impl_->threads.empty() && !impl_->listeners.empty());
  impl_->core.router = std::move(router);
  impl_->core.handlers =
      std::make_unique<asio::thread_pool>(std::max(impl_->core.options->handler_threads, 1U));
  for (Listener& listener : impl_->listeners) {
    const asio::generic::stream_protocol protocol(listener.family(), 0);
    impl_->acceptors.push_back(std::make_unique<Acceptor>(impl_->accepting));
    impl_->acceptors.back()->assign(protocol, listener.release());
    asio::co_spawn(impl_->accepting, impl_->accept_all(*impl_->acceptors.back()), asio::detached);
  }
  impl_->is_accepting = true;
  impl_->run_threads();
}

std::size_t Server::drain(std::chrono::milliseconds limit, std::chrono::milliseconds grace) {
  {
    const std::lock_guard lock(impl_->core.mutex);
    impl_->core.is_draining = true;
  }
  impl_->close_acceptors();
  impl_->for_each_connection([](Connection& connection) { connection.drain(); });
  if (impl_->wait_until_empty(limit)) return 0;
  impl_->for_each_connection([](Connection& connection) { connection.request_stop(); });
  if (impl_->wait_until_empty(grace)) return 0;
  const std::size_t cut = impl_->for_each_connection([](Connection& connection) { connection.cut(); });
  std::unique_lock lock(impl_->core.mutex);
  impl_->core.changed.wait(lock, [this] { return impl_->core.connections.empty(); });
  return cut;
}

void Server::stop() {
  if (impl_->threads.empty()) return;
  drain(std::chrono::milliseconds(0), std::chrono::milliseconds(0));
  impl_->core.handlers->join();
  impl_->context.stop();
  for (std::thread& thread : impl_->threads) thread.join();
  impl_->threads.clear();
}

ServerStatistics Server::statistics() const {
  ServerStatistics result;
  {
    const std::lock_guard lock(impl_->core.mutex);
    result.connections = impl_->core.connections.size();
  }
  result.requests = impl_->core.requests;
  result.buffered_bytes = impl_->core.buffered_bytes + *impl_->core.body_bytes;
  result.accepted = impl_->core.accepted;
  result.refused = impl_->core.refused;
  return result;
}

}  // namespace carat::http
