#pragma once

#include <string_view>

#include "http/responder.h"

namespace carat::http {

// Server-sent events on a response: text/event-stream, a comment every 15 s of silence. Functions return what
// Responder::write() does; they may be called from any thread, one at a time.
class EventStream {
 public:
  explicit EventStream(Responder responder) : responder_(std::move(responder)) {}

  bool start(std::vector<Header> headers = {}) const;  // status 200

  bool data(std::string_view text) const;  // one event; a text of several lines stays one event
  bool event(std::string_view name, std::string_view text) const;  // with "event: name"
  bool comment(std::string_view text) const;
  bool end() const;

 private:
  Responder responder_;
};

}  // namespace carat::http
