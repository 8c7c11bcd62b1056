#include "http/connection.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "http/listener.h"

namespace carat::http {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr Refusal kTooSlow{408, "the request did not arrive in time"};
constexpr Refusal kNoRoom{503, "the server holds too many request bodies"};

Peer describe_peer(StreamSocket& socket, bool is_encrypted) {
  Peer peer = peer_of(socket.native_handle());
  peer.is_encrypted = is_encrypted;
  return peer;
}

// Counts a request while it is read and answered.
class Counted {
 public:
  explicit Counted(std::atomic<std::size_t>& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<std::size_t>& count_;
};

}  // namespace

Connection::Connection(ServerCore& core, StreamSocket socket)
    : core_(core),
      transport_(make_transport(std::move(socket), core.tls.get())),
      peer_(describe_peer(transport_->socket(), core.tls != nullptr)),
      deadline_(transport_->socket().get_executor()),
      sleeper_(transport_->socket().get_executor()) {
  tune_connection(transport_->socket().native_handle());
}

void Connection::start() {
  asio::co_spawn(transport_->socket().get_executor(), run(),
                 [self = shared_from_this()](const std::exception_ptr&) { self->finish(); });
}

void Connection::drain() {
  asio::post(transport_->socket().get_executor(), [self = shared_from_this()] {
    self->is_draining_ = true;
    if (self->response_ != nullptr) self->response_->close_after();
    if (self->is_idle_) self->transport_->cancel();
  });
}

void Connection::request_stop() {
  asio::post(transport_->socket().get_executor(), [self = shared_from_this()] {
    if (self->response_ != nullptr) self->response_->request_stop();
  });
}

void Connection::cut() {
  asio::post(transport_->socket().get_executor(), [self = shared_from_this()] { self->lose_client(); });
}

// Each co_await stands in a statement of its own: g++ 12 compiles some conditions that hold one to a crash.
asio::awaitable<void> Connection::run() {
  bool goes_on = co_await handshake();
  while (goes_on) goes_on = co_await serve_one();
}

asio::awaitable<bool> Connection::handshake() {
  cancel_after(limits().header_timeout);
  const boost::system::error_code error = co_await transport_->handshake();
  deadline_.disarm();
  co_return !error && !is_lost_;
}

asio::awaitable<bool> Connection::serve_one() {
  RequestParser parser(limits());
  const Reading head = co_await read_head(parser);
  if (!head && !head.error()) co_return false;
  const Counted counted(core_.requests);
  const auto incoming = std::make_shared<IncomingRequest>(core_, peer_);
  if (head) {
    admit(core_, parser, *incoming);
    incoming->has_unread_body = parser.head().has_body;
  } else {
    refuse(core_, *head.error(), *incoming);
    incoming->has_unread_body = true;
  }
  if (!incoming->ready) {
    const Reading body = co_await read_body(parser, *incoming);
    if (!body && !body.error()) co_return false;
    if (!body) {
      parser.body() = std::string();  // what came of it is nobody's any more
      incoming->charge.set(0, 0);
      refuse(core_, *body.error(), *incoming);
    }
  }
  co_return co_await answer(incoming);
}

asio::awaitable<Connection::Reading> Connection::read_head(RequestParser& parser) {
  is_idle_ = input_.empty();
  cancel_after(is_idle_ ? limits().idle_timeout : limits().header_timeout);
  while (true) {
    const auto used = parser.read_head(input_);
    if (!used) co_return std::unexpected(used.error());
    if (*used > 0) {
      use_input(*used);
      break;
    }
    if (is_read_closed_ || (is_idle_ && is_draining_)) co_return std::unexpected(std::nullopt);
    const Read read = co_await read_more();
    if (read == Read::kTimedOut && !is_idle_) co_return std::unexpected(kTooSlow);
    if (read != Read::kBytes) co_return std::unexpected(std::nullopt);
    if (is_idle_) cancel_after(limits().header_timeout);  // for all of the head, not for each piece
    is_idle_ = false;
  }
  deadline_.disarm();
  co_return Reading();
}

asio::awaitable<Connection::Reading> Connection::read_body(RequestParser& parser, IncomingRequest& incoming) {
  if (parser.head().expects_continue && !parser.is_done() && input_.empty()) {
    const bool is_told = co_await write_all(kContinue);
    if (!is_told) co_return std::unexpected(std::nullopt);
  }
  const auto begin = std::chrono::steady_clock::now();
  while (true) {
    const auto used = parser.read_body(input_);
    if (!used) co_return std::unexpected(used.error());
    use_input(*used);
    if (!incoming.charge.set(parser.body().size(), limits().most_buffered_body_bytes)) {
      co_return std::unexpected(kNoRoom);
    }
    if (parser.is_done()) break;
    if (is_read_closed_) co_return std::unexpected(std::nullopt);
    const std::chrono::seconds earned(parser.body().size() / limits().least_body_rate);
    deadline_.arm(begin + limits().body_timeout + earned, [this] { transport_->cancel(); });
    const Read read = co_await read_more();
    if (read == Read::kTimedOut) co_return std::unexpected(kTooSlow);
    if (read != Read::kBytes) co_return std::unexpected(std::nullopt);
  }
  deadline_.disarm();
  incoming.request.body = std::move(parser.body());
  incoming.keep_alive = parser.head().keep_alive;
  incoming.has_unread_body = false;
  co_return Reading();
}

asio::awaitable<Connection::Read> Connection::read_more() {
  const Transferred read = co_await transport_->read_some(asio::buffer(part_));
  input_.append(part_.data(), read.bytes);
  account();
  if (is_lost_) co_return Read::kFailed;
  if (!read.error) co_return Read::kBytes;
  if (read.error == asio::error::eof) {
    is_read_closed_ = true;
    co_return Read::kEnd;
  }
  co_return deadline_.has_passed() ? Read::kTimedOut : Read::kFailed;
}

void Connection::use_input(std::size_t bytes) {
  input_.erase(0, bytes);
  if (input_.empty()) input_ = std::string();  // an idle connection keeps no memory
  account();
}

void Connection::cancel_after(std::chrono::milliseconds time) {
  deadline_.arm(std::chrono::steady_clock::now() + time, [this] { transport_->cancel(); });
}

void Connection::account() {
  const std::size_t now = input_.size() + (response_ != nullptr ? response_->unsent_bytes() : 0);
  core_.buffered_bytes += now - accounted_;  // wraps when it shrinks, and comes out right
  accounted_ = now;
}

void Connection::finish() {
  if (response_ != nullptr) response_->lose_client();  // an exception ended the coroutine
  response_ = nullptr;
  input_.clear();
  account();
  deadline_.disarm();
  transport_->close();
  const std::lock_guard lock(core_.mutex);
  core_.connections.erase(shared_from_this());
  core_.changed.notify_all();
}

}  // namespace carat::http
