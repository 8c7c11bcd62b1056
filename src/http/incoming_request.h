#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/pending_response.h"
#include "http/request_parser.h"
#include "http/router.h"
#include "http/server_core.h"

namespace carat::http {

// Bytes of request bodies, counted against what the server keeps of them in all; given back with this object.
class BodyCharge {
 public:
  explicit BodyCharge(std::shared_ptr<std::atomic<std::size_t>> total) : total_(std::move(total)) {}
  ~BodyCharge() { *total_ -= bytes_; }
  BodyCharge(const BodyCharge&) = delete;
  BodyCharge& operator=(const BodyCharge&) = delete;

  // False when all bodies together are more than `most` then.
  bool set(std::size_t bytes, std::size_t most) {
    const std::size_t total = *total_ += bytes - bytes_;  // wraps when it shrinks, and comes out right
    bytes_ = bytes;
    return total <= most;
  }

 private:
  std::shared_ptr<std::atomic<std::size_t>> total_;
  std::size_t bytes_ = 0;
};

// A request on its way to its handler.
struct IncomingRequest {
  IncomingRequest(const ServerCore& core, const Peer& peer);

  ServerRequest request;
  BodyCharge charge;
  const Route* route = nullptr;
  std::optional<Response> ready;     // the answer, when no handler is asked
  std::vector<Header> more_headers;  // for the answer
  bool is_http_1_0 = false;
  bool keep_alive = false;
  bool has_unread_body = false;
};

// Decides by the head alone what becomes of a request: sets its route, or the answer that it gets instead (a
// malformed path, what the guard says, 404, 405, 413, OPTIONS), and limits the parser's body.
void admit(const ServerCore& core, RequestParser& parser, IncomingRequest& incoming);

// Sets the answer of a request that is refused; the connection ends after it.
void refuse(const ServerCore& core, const Refusal& refusal, IncomingRequest& incoming);

// How its answer has to look.
ResponseSettings response_settings(const ServerCore& core, const IncomingRequest& incoming);

}  // namespace carat::http
