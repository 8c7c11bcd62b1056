#include "http/transport.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace carat::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

class PlainTransport final : public Transport {
 public:
  using Transport::Transport;

  asio::awaitable<error_code> handshake() override { co_return error_code(); }

  asio::awaitable<Transferred> read_some(asio::mutable_buffer into) override {
    const auto [error, bytes] = co_await socket().async_read_some(into, kAwait);
    co_return Transferred{error, bytes};
  }

  asio::awaitable<Transferred> write_some(asio::const_buffer from) override {
    const auto [error, bytes] = co_await socket().async_write_some(from, kAwait);
    co_return Transferred{error, bytes};
  }

  asio::awaitable<void> end_writing() override {
    error_code ignored;  // the client may have gone already
    socket().shutdown(asio::socket_base::shutdown_send, ignored);
    co_return;
  }
};

class TlsTransport final : public Transport {
 public:
  TlsTransport(StreamSocket socket, asio::ssl::context& context)
      : Transport(std::move(socket)), stream_(this->socket(), context) {}

  asio::awaitable<error_code> handshake() override {
    const auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kAwait);
    co_return error;
  }

  asio::awaitable<Transferred> read_some(asio::mutable_buffer into) override {
    auto [error, bytes] = co_await stream_.async_read_some(into, kAwait);
    if (error == asio::ssl::error::stream_truncated) error = asio::error::eof;
    co_return Transferred{error, bytes};
  }

  asio::awaitable<Transferred> write_some(asio::const_buffer from) override {
    const auto [error, bytes] = co_await stream_.async_write_some(from, kAwait);
    co_return Transferred{error, bytes};
  }

  asio::awaitable<void> end_writing() override {
    const auto [ignored] = co_await stream_.async_shutdown(kAwait);  // sends close_notify, waits for theirs
    static_cast<void>(ignored);
  }

 private:
  asio::ssl::stream<StreamSocket&> stream_;
};

}  // namespace

void Transport::cancel() {
  error_code ignored;
  socket_.cancel(ignored);
}

void Transport::close() {
  error_code ignored;
  socket_.close(ignored);
}

std::unique_ptr<Transport> make_transport(StreamSocket socket, asio::ssl::context* tls) {
  if (tls == nullptr) return std::make_unique<PlainTransport>(std::move(socket));
  return std::make_unique<TlsTransport>(std::move(socket), *tls);
}

}  // namespace carat::http
