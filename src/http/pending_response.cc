#include "http/pending_response.h"

#include <chrono>
#include <utility>

#include "base/check.h"

namespace carat::http {
namespace {

class Sink final : public ResponseSink {
 public:
  explicit Sink(std::shared_ptr<PendingResponse> response) : response_(std::move(response)) {}
  ~Sink() override { response_->abandon(); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  bool send(Response response) override { return response_->send(response); }
  bool start_stream(unsigned status, std::vector<Header> headers, KeepAlive keep_alive) override {
    return response_->start_stream(status, std::move(headers), std::move(keep_alive));
  }
  bool write(std::string_view bytes) override { return response_->write(bytes); }
  bool end() override { return response_->end(); }

 private:
  std::shared_ptr<PendingResponse> response_;
};

}  // namespace

PendingResponse::PendingResponse(ResponseSettings settings, std::function<void()> wake)
    : settings_(std::move(settings)), wake_(std::move(wake)) {}

Responder PendingResponse::responder(std::shared_ptr<PendingResponse> response) {
  return Responder(std::make_shared<Sink>(std::move(response)));
}

bool PendingResponse::send(const Response& response) {
  const std::lock_guard lock(mutex_);
  CARAT_CHECK(state_ == State::kWaiting);
  complete();
  if (wake_ == nullptr) return false;
  const BodyFraming framed = framing(/*is_stream=*/false, response.status);
  append_head(response.status, response.headers, framed, response.body.size());
  if (framed != BodyFraming::kNone && !settings_.is_head) {
    queue_ += response.body;
    body_bytes_ = response.body.size();
  }
  wake();
  return true;
}

bool PendingResponse::start_stream(unsigned status, std::vector<Header> headers, KeepAlive keep_alive) {
  const bool is_head = settings_.is_head;
  {
    const std::lock_guard lock(mutex_);
    CARAT_CHECK(state_ == State::kWaiting);
    if (wake_ == nullptr) {
      complete();
      return false;
    }
    headers.push_back({"Cache-Control", "no-store"});
    headers.push_back({"X-Accel-Buffering", "no"});
    framing_ = framing(/*is_stream=*/true, status);
    if (framing_ == BodyFraming::kClose) settings_.keep_alive = false;
    append_head(status, headers, framing_, 0);
    state_ = is_head || framing_ == BodyFraming::kNone ? State::kComplete : State::kStreaming;
    keep_alive_ = std::move(keep_alive);
    wake();
    if (state_ == State::kStreaming) return true;
  }
  stop_.request_stop();  // nobody receives a body
  return false;
}

bool PendingResponse::write(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  CARAT_CHECK(state_ != State::kWaiting);
  if (state_ != State::kStreaming || wake_ == nullptr) return false;
  if (bytes.empty()) return true;
  if (queue_.size() + in_flight_ + bytes.size() > settings_.most_unsent_bytes) {
    state_ = State::kCut;
    wake();
    return false;
  }
  append_part(bytes);
  wake();
  return true;
}

bool PendingResponse::end() {
  const std::lock_guard lock(mutex_);
  CARAT_CHECK(state_ != State::kWaiting);
  if (state_ != State::kStreaming) return false;
  if (framing_ == BodyFraming::kChunked) queue_ += kLastChunk;
  complete();
  wake();
  return wake_ != nullptr;
}

void PendingResponse::abandon() {
  std::function<Response()> failure;
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kStreaming) {
      state_ = State::kCut;
      wake();
      return;
    }
    if (state_ != State::kWaiting || wake_ == nullptr) return;
    failure = settings_.failure;
  }
  send(failure());  // this was the last Responder: nobody else answers meanwhile
}

PendingResponse::Output PendingResponse::take() {
  const std::lock_guard lock(mutex_);
  Output output;
  output.bytes = std::exchange(queue_, {});
  output.is_finished = state_ == State::kComplete;
  output.is_cut = state_ == State::kCut;
  in_flight_ = output.bytes.size();
  return output;
}

void PendingResponse::detach() {
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
  queue_ = {};
}

void PendingResponse::lose_client() {
  detach();
  stop_.request_stop();
}

void PendingResponse::close_after() {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kWaiting) settings_.keep_alive = false;
}

bool PendingResponse::keeps_alive() const {
  const std::lock_guard lock(mutex_);
  return settings_.keep_alive;
}

bool PendingResponse::is_cut() const {
  const std::lock_guard lock(mutex_);
  return state_ == State::kCut;
}

KeepAlive PendingResponse::keep_alive() const {
  const std::lock_guard lock(mutex_);
  return state_ == State::kStreaming ? keep_alive_ : KeepAlive{};
}

std::string PendingResponse::keep_alive_bytes() const {
  const std::lock_guard lock(mutex_);
  if (framing_ != BodyFraming::kChunked) return keep_alive_.bytes;
  std::string chunk;
  append_chunk(keep_alive_.bytes, chunk);
  return chunk;
}

std::size_t PendingResponse::unsent_bytes() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() + in_flight_;
}

unsigned PendingResponse::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

std::size_t PendingResponse::body_bytes() const {
  const std::lock_guard lock(mutex_);
  return body_bytes_;
}

BodyFraming PendingResponse::framing(bool is_stream, unsigned status) const {
  if (has_no_body(status)) return BodyFraming::kNone;
  if (!is_stream) return BodyFraming::kLength;
  return settings_.is_http_1_0 ? BodyFraming::kClose : BodyFraming::kChunked;
}

void PendingResponse::append_head(unsigned status, const std::vector<Header>& headers, BodyFraming framing,
                                  std::size_t length) {
  status_ = status;
  queue_ += format_response_head({.status = status,
                                  .headers = headers,
                                  .more_headers = settings_.more_headers,
                                  .request_id = settings_.request_id,
                                  .framing = framing,
                                  .length = length,
                                  .keep_alive = settings_.keep_alive,
                                  .date = std::chrono::system_clock::now()});
}

void PendingResponse::append_part(std::string_view bytes) {
  body_bytes_ += bytes.size();
  if (framing_ == BodyFraming::kChunked) {
    append_chunk(bytes, queue_);
  } else {
    queue_ += bytes;
  }
}

void PendingResponse::complete() {
  state_ = State::kComplete;
  if (settings_.ticket != nullptr) settings_.ticket->on_answered();
}

void PendingResponse::wake() {
  if (wake_ != nullptr) wake_();
}

}  // namespace carat::http
