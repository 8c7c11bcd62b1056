#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/message.h"

namespace carat::http {

// A whole answer. Content-Length, Date, Connection and x-request-id are added by the server. A header with a
// line break or a NUL in it is our bug and aborts: what comes from outside is not put into headers unchecked.
struct Response {
  unsigned status = 200;
  std::vector<Header> headers = {};
  std::string body = {};
};

// Bytes that the server itself sends on a stream whenever it was silent for `interval`; empty: none.
struct KeepAlive {
  std::string bytes = {};
  std::chrono::milliseconds interval{15'000};
};

// Where an answer goes. The connection behind a Responder; tests have their own.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  virtual bool send(Response response) = 0;
  virtual bool start_stream(unsigned status, std::vector<Header> headers, KeepAlive keep_alive) = 0;
  virtual bool write(std::string_view bytes) = 0;
  virtual bool end() = 0;
};

// Answers one request, from any thread, and never blocks. Either send() once, or start_stream(), any number
// of write(), and end(). Each returns false when nobody receives it any more (the request's stop token has
// fired), and then does nothing: a caller may go on or give up as it likes. Calls in another order are our
// bug and abort.
//
// Copies answer the same request. When the last one goes without a complete answer, the client gets a 500, or
// its stream is cut so that it sees the answer as incomplete: a request cannot be forgotten.
class Responder {
 public:
  explicit Responder(std::shared_ptr<ResponseSink> sink) : sink_(std::move(sink)) {}

  bool send(Response response) const { return sink_->send(std::move(response)); }

  // Sends the head. `headers` gain Cache-Control: no-store and X-Accel-Buffering: no.
  bool start_stream(unsigned status, std::vector<Header> headers, KeepAlive keep_alive = {}) const {
    return sink_->start_stream(status, std::move(headers), std::move(keep_alive));
  }

  // Queues bytes. A client that reads slower than they come gets them as long as no more than the server's
  // output budget waits; past it, the client is cut off and the stop token fires.
  bool write(std::string_view bytes) const { return sink_->write(bytes); }

  bool end() const { return sink_->end(); }

 private:
  std::shared_ptr<ResponseSink> sink_;
};

}  // namespace carat::http
