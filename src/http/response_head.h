#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace carat::http {

// How the end of a body is marked.
enum class BodyFraming {
  kLength,   // Content-Length
  kChunked,  // Transfer-Encoding: chunked
  kClose,    // the connection ends with it
  kNone,     // there is none
};

struct ResponseHeadParts {
  unsigned status = 200;
  const std::vector<Header>& headers;
  const std::vector<Header>& more_headers;  // those of the same name in `headers` go before
  std::string_view request_id;
  BodyFraming framing = BodyFraming::kLength;
  std::size_t length = 0;
  bool keep_alive = true;
  std::chrono::system_clock::time_point date;
};

// Status line, headers and the empty line.
std::string format_response_head(const ResponseHeadParts& parts);

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(std::chrono::system_clock::time_point time);

// One chunk of a chunked body; `bytes` must not be empty, which would be its end.
void append_chunk(std::string_view bytes, std::string& out);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

bool has_no_body(unsigned status);  // 1xx, 204, 304

}  // namespace carat::http
