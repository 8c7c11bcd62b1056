#pragma once

#include <string_view>

#include "http/responder.h"

namespace carat::http {

// One JSON text a line on a response: application/x-ndjson. Functions return what Responder::write() does.
class JsonLines {
 public:
  explicit JsonLines(Responder responder) : responder_(std::move(responder)) {}

  bool start(std::vector<Header> headers = {}) const;  // status 200
  bool line(std::string_view json) const;              // without a line break in it
  bool end() const;

 private:
  Responder responder_;
};

}  // namespace carat::http
