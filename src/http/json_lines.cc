#include "http/json_lines.h"

#include <string>

#include "base/check.h"

namespace carat::http {

bool JsonLines::start(std::vector<Header> headers) const {
  headers.push_back({"Content-Type", "application/x-ndjson"});
  return responder_.start_stream(200, std::move(headers));
}

bool JsonLines::line(std::string_view json) const {
  CARAT_CHECK(json.find('\n') == std::string_view::npos);
  return responder_.write(std::string(json) + "\n");
}

bool JsonLines::end() const { return responder_.end(); }

}  // namespace carat::http
