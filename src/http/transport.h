#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <memory>
#include <utility>

namespace carat::http {

using StreamSocket = boost::asio::generic::stream_protocol::socket;  // TCP or unix-domain

// The outcome of reading or writing.
struct Transferred {
  boost::system::error_code error;  // asio::error::eof: the client sends no more
  std::size_t bytes = 0;
};

// Bytes to and from one client, encrypted or not. One read and one write may run at a time; everything is
// called on the executor of the socket, which must be a strand.
class Transport {
 public:
  explicit Transport(StreamSocket socket) : socket_(std::move(socket)) {}
  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  StreamSocket& socket() { return socket_; }

  virtual boost::asio::awaitable<boost::system::error_code> handshake() = 0;
  virtual boost::asio::awaitable<Transferred> read_some(boost::asio::mutable_buffer into) = 0;
  virtual boost::asio::awaitable<Transferred> write_some(boost::asio::const_buffer from) = 0;
  virtual boost::asio::awaitable<void> end_writing() = 0;  // the client sees the end; it may still send

  void cancel();  // what runs ends with operation_aborted
  void close();

 private:
  StreamSocket socket_;
};

// `tls` null: in plain.
std::unique_ptr<Transport> make_transport(StreamSocket socket, boost::asio::ssl::context* tls);

}  // namespace carat::http
