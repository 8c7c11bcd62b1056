#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "http/refusal.h"
#include "http/server_options.h"

namespace carat::http {

// A request's head, checked.
struct RequestHead {
  std::string method;
  std::string target;
  std::vector<Header> headers;
  bool is_http_1_0 = false;
  bool keep_alive = false;
  bool expects_continue = false;
  bool has_body = false;                        // bytes of a body follow
  std::optional<std::uint64_t> content_length;  // nullopt: none, or chunked
};

// Reads one request from bytes that arrive in whatever pieces; in memory, knows no sockets. Beast's parser
// does the work; HeadScanner before it and checks after it refuse everything that another server on the way
// could read in another way: two lengths, a length and chunks, transfer codings other than chunked, chunk
// extensions, trailers, headers twice that may come once.
class RequestParser {
 public:
  explicit RequestParser(const ServerLimits& limits);  // the limits must outlive it
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) = delete;

  // `input`: all bytes from the start of the request, each time. How many of them are the head; 0: more are
  // needed.
  std::expected<std::size_t, Refusal> read_head(std::string_view input);

  const RequestHead& head() const;

  // After the head, before the body. 413 when the head announces more.
  std::expected<void, Refusal> limit_body(std::size_t most_bytes);

  // `input`: what follows the bytes that were used before. How many are used up; the caller removes them and
  // calls again with more until is_done().
  std::expected<std::size_t, Refusal> read_body(std::string_view input);

  bool is_done() const;
  std::string& body();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carat::http
