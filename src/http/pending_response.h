#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "http/responder.h"
#include "http/response_head.h"
#include "http/server_request.h"

namespace carat::http {

// What an answer has to look like, from the request it answers.
struct ResponseSettings {
  bool is_head = false;      // no body is sent, whatever the handler says
  bool is_http_1_0 = false;  // no chunks
  bool keep_alive = true;
  std::size_t most_unsent_bytes = 0;  // of a stream
  std::string request_id;
  std::vector<Header> more_headers;   // for whatever answer comes
  std::shared_ptr<Ticket> ticket;     // told when the answer is complete; may be null
  std::function<Response()> failure;  // the 500 of a handler that did not answer
};

// The answer to one request, between the handler that makes it, on any thread, and the connection that sends
// it. Beginning and end of the answer, its framing and the bytes that wait; no sockets.
class PendingResponse {
 public:
  // Bytes to be sent now, and what follows them.
  struct Output {
    std::string bytes;
    bool is_finished = false;  // they are the last
    bool is_cut = false;       // the answer is incomplete, or its client too slow: drop the connection
  };

  // `wake` is called from any thread when there is something to take(); it must not call back.
  PendingResponse(ResponseSettings settings, std::function<void()> wake);

  // For the handler: answers for this response, and fails it when the last copy goes unanswered.
  static Responder responder(std::shared_ptr<PendingResponse> response);

  // For handlers, by way of a Responder.
  bool send(const Response& response);
  bool start_stream(unsigned status, std::vector<Header> headers, KeepAlive keep_alive);
  bool write(std::string_view bytes);
  bool end();
  void abandon();  // nobody will answer; nothing when the answer is complete

  // For the connection. Bytes that were taken count as unsent until the next take().
  Output take();
  void detach();       // the connection is done with it: nothing is queued or woken any more
  void lose_client();  // detach(), and the stop token fires
  void request_stop() { stop_.request_stop(); }
  void close_after();  // the answer says Connection: close, if its head is not out yet

  bool keeps_alive() const;  // the connection may go on after it
  bool is_cut() const;
  KeepAlive keep_alive() const;  // of a stream that runs; no bytes: none
  // The keep-alive bytes, framed.
  std::string keep_alive_bytes() const;
  std::size_t unsent_bytes() const;
  unsigned status() const;         // 0: not answered yet
  std::size_t body_bytes() const;  // of the answer so far
  std::stop_token stop_token() const { return stop_.get_token(); }

 private:
  enum class State { kWaiting, kStreaming, kComplete, kCut };

  BodyFraming framing(bool is_stream, unsigned status) const;
  void append_head(unsigned status, const std::vector<Header>& headers, BodyFraming framing,
                   std::size_t length);
  void append_part(std::string_view bytes);
  void complete();
  void wake();

  mutable std::mutex mutex_;
  ResponseSettings settings_;
  std::function<void()> wake_;  // empty once detached
  std::stop_source stop_;
  State state_ = State::kWaiting;
  BodyFraming framing_ = BodyFraming::kLength;
  KeepAlive keep_alive_;
  std::string queue_;
  std::size_t in_flight_ = 0;  // bytes taken and perhaps not sent
  unsigned status_ = 0;
  std::size_t body_bytes_ = 0;
};

}  // namespace carat::http
