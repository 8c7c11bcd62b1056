// What a Connection does from a request that is read to the last byte of its answer.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include "http/connection.h"

namespace carat::http {
namespace {

namespace asio = boost::asio;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

// Calls the handler of a request. A handler that throws has dropped its responder, which sends a 500.
void call_handler(const std::shared_ptr<IncomingRequest>& incoming, Responder responder) {
  if (incoming->request.stop.stop_requested()) return;
  try {
    incoming->route->handler(std::shared_ptr<const ServerRequest>(incoming, &incoming->request),
                             std::move(responder));
  } catch (...) {  // NOLINT(bugprone-empty-catch): see above
  }
}

}  // namespace

asio::awaitable<bool> Connection::answer(Incoming incoming) {
  const auto begin = std::chrono::steady_clock::now();
  response_ = std::make_shared<PendingResponse>(
      response_settings(core_, *incoming),
      [weak = weak_from_this(), strand = transport_->socket().get_executor()] {
        asio::post(strand, [weak] {
          if (const auto self = weak.lock()) self->wake();
        });
      });
  incoming->request.stop = response_->stop_token();
  if (is_draining_) response_->close_after();
  const HalfClose half_close =
      incoming->route != nullptr ? incoming->route->options.half_close : HalfClose::kIgnored;
  if (incoming->ready) {
    response_->send(*incoming->ready);
  } else {
    dispatch(incoming);
  }
  const bool is_complete = co_await send_answer(half_close);
  const bool keeps_alive = is_complete && response_->keeps_alive();
  if (core_.options->on_answer) {
    core_.options->on_answer({.request = incoming->request,
                              .status = response_->status(),
                              .body_bytes = response_->body_bytes(),
                              .complete = is_complete,
                              .time = std::chrono::steady_clock::now() - begin});
  }
  response_->detach();
  response_ = nullptr;
  account();
  if (is_complete && !keeps_alive) co_await linger();
  co_return keeps_alive && !is_lost_;
}

void Connection::dispatch(const Incoming& incoming) {
  Responder responder = PendingResponse::responder(response_);
  if (incoming->route->options.run_on == RunOn::kIoThread)
    return call_handler(incoming, std::move(responder));
  asio::post(*core_.handlers, [incoming, responder = std::move(responder)]() mutable {
    call_handler(incoming, std::move(responder));
  });
}

asio::awaitable<bool> Connection::send_answer(HalfClose half_close) {
  bool is_complete = false;
  while (!is_lost_) {
    is_woken_ = false;
    const PendingResponse::Output output = response_->take();
    account();
    if (output.is_cut) break;
    if (!output.is_finished) start_watch(half_close);
    const bool is_sent = co_await write_all(output.bytes);
    if (!is_sent) break;
    is_complete = output.is_finished;
    if (is_complete) break;
    if (!output.bytes.empty()) continue;
    const KeepAlive keep_alive = response_->keep_alive();
    co_await sleep(keep_alive.bytes.empty() ? std::nullopt : std::optional(keep_alive.interval));
    if (is_woken_ || keep_alive.bytes.empty()) continue;
    const std::string bytes = response_->keep_alive_bytes();
    const bool is_alive = co_await write_all(bytes);
    if (!is_alive) break;
  }
  co_await end_watch();
  if (!is_complete) lose_client();
  co_return is_complete;
}

asio::awaitable<bool> Connection::write_all(std::string_view bytes) {
  while (!bytes.empty() && !is_lost_) {
    deadline_.arm(std::chrono::steady_clock::now() + limits().write_timeout, [this] { lose_client(); });
    is_writing_ = true;
    const Transferred written = co_await transport_->write_some(asio::buffer(bytes.data(), bytes.size()));
    is_writing_ = false;
    deadline_.disarm();
    if (written.error) co_return false;
    bytes.remove_prefix(written.bytes);
  }
  co_return !is_lost_;
}

// The end, in a way that the client can still read what was sent: closing a socket with unread input makes
// the kernel reset it.
asio::awaitable<void> Connection::linger() {
  cancel_after(limits().linger_timeout);
  co_await transport_->end_writing();
  Read read = is_read_closed_ ? Read::kEnd : Read::kBytes;
  while (read == Read::kBytes) {
    input_.clear();
    read = co_await read_more();
  }
  deadline_.disarm();
}

void Connection::start_watch(HalfClose half_close) {
  if (is_watching_ || ends_watch_ || is_read_closed_) return;
  is_watching_ = true;
  asio::co_spawn(transport_->socket().get_executor(), watch(half_close),
                 [self = shared_from_this()](const std::exception_ptr& problem) {
                   if (problem) self->lose_client();
                   self->is_watching_ = false;
                   self->wake();
                 });
}

// Reads ahead while an answer is made. What is too much stays with the kernel; then only a reset is noticed.
asio::awaitable<void> Connection::watch(HalfClose half_close) {
  Read read = Read::kBytes;
  while (read == Read::kBytes && !ends_watch_ && input_.size() < limits().most_pipelined_bytes) {
    read = co_await read_more();
  }
  if (ends_watch_) co_return;
  if (read == Read::kBytes || (read == Read::kEnd && half_close == HalfClose::kIgnored)) {
    co_await transport_->socket().async_wait(asio::socket_base::wait_error, kAwait);
    if (ends_watch_) co_return;
  }
  lose_client();
}

asio::awaitable<void> Connection::end_watch() {
  ends_watch_ = true;
  if (is_watching_) transport_->cancel();
  while (is_watching_) {
    is_woken_ = false;
    co_await sleep(std::nullopt);
  }
  ends_watch_ = false;
}

void Connection::wake() {
  is_woken_ = true;
  sleeper_.cancel();
  if (is_writing_ && response_ != nullptr && response_->is_cut()) lose_client();
}

asio::awaitable<void> Connection::sleep(std::optional<std::chrono::milliseconds> most) {
  if (is_woken_) co_return;
  if (most) {
    sleeper_.expires_after(*most);
  } else {
    sleeper_.expires_at(std::chrono::steady_clock::time_point::max());
  }
  co_await sleeper_.async_wait(kAwait);
}

void Connection::lose_client() {
  if (is_lost_) return;
  is_lost_ = true;
  if (response_ != nullptr) response_->lose_client();
  transport_->close();
  is_woken_ = true;
  sleeper_.cancel();
}

}  // namespace carat::http
