#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/deadline.h"
#include "http/incoming_request.h"
#include "http/pending_response.h"
#include "http/request_parser.h"
#include "http/server_core.h"
#include "http/transport.h"

namespace carat::http {

// One client: reads a request, has it answered, sends the answer, and again. Requests that were sent ahead
// wait in the input until their turn, so answers keep their order. While one is answered, a second coroutine
// goes on reading, to see the client leave. Everything happens on the socket's strand; connection.cc has the
// reading, answer.cc what follows it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `socket` runs on a strand of its own. The core must outlive this object.
  Connection(ServerCore& core, StreamSocket socket);

  void start();

  // From any thread. See Server::drain().
  void drain();
  void request_stop();
  void cut();

 private:
  enum class Read { kBytes, kEnd, kFailed, kTimedOut };
  // What came of reading a part of a request: nothing to say, or a refusal; nullopt: the client is gone.
  using Reading = std::expected<void, std::optional<Refusal>>;
  using Incoming = std::shared_ptr<IncomingRequest>;

  const ServerLimits& limits() const { return core_.options->limits; }

  boost::asio::awaitable<void> run();
  boost::asio::awaitable<bool> handshake();
  boost::asio::awaitable<bool> serve_one();  // whether another request may follow
  boost::asio::awaitable<Reading> read_head(RequestParser& parser);
  boost::asio::awaitable<Reading> read_body(RequestParser& parser, IncomingRequest& incoming);
  boost::asio::awaitable<Read> read_more();  // appends to input_
  void use_input(std::size_t bytes);         // they are understood

  boost::asio::awaitable<bool> answer(Incoming incoming);
  void dispatch(const Incoming& incoming);
  boost::asio::awaitable<bool> send_answer(HalfClose half_close);  // whether all of it was sent
  boost::asio::awaitable<bool> write_all(std::string_view bytes);
  boost::asio::awaitable<void> linger();

  void start_watch(HalfClose half_close);
  boost::asio::awaitable<void> watch(HalfClose half_close);
  boost::asio::awaitable<void> end_watch();

  void wake();
  boost::asio::awaitable<void> sleep(std::optional<std::chrono::milliseconds> most);  // until wake()
  void lose_client();
  void finish();
  void account();
  void cancel_after(std::chrono::milliseconds time);

  ServerCore& core_;
  std::unique_ptr<Transport> transport_;
  Peer peer_;
  Deadline deadline_;
  boost::asio::steady_timer sleeper_;
  std::array<char, 8192> part_;                // what one read brings
  std::string input_;                          // read and not yet understood
  std::shared_ptr<PendingResponse> response_;  // null between requests
  std::size_t accounted_ = 0;
  bool is_idle_ = false;  // waits for the first byte of a request
  bool is_draining_ = false;
  bool is_lost_ = false;         // the client is gone, or was cut
  bool is_read_closed_ = false;  // the client sends no more
  bool is_woken_ = false;
  bool is_writing_ = false;
  bool is_watching_ = false;
  bool ends_watch_ = false;
};

}  // namespace carat::http
