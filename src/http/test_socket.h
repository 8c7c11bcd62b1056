#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "http/message.h"

namespace carat::http {

// An answer as a raw client reads it: by its own few rules, independent of the server's code.
struct RawAnswer {
  unsigned status = 0;
  std::vector<Header> headers;
  std::string body;  // chunks put together

  std::string header(std::string_view name) const {
    return std::string(find_header(headers, name).value_or(""));
  }
};

// A client's end of a connection as a plain socket, so that any bytes can be sent and any cut be made. A read
// that waits for longer than a minute fails.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = ::htons(port);
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    const timeval patience = {.tv_sec = 60, .tv_usec = 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    CARAT_CHECK(::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  RawClient(RawClient&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() { close(); }

  // False once the server went away.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  // nullopt when the connection ends, or time is up, before it is whole.
  std::optional<RawAnswer> read_answer(bool is_head = false) {
    RawAnswer answer;
    const auto first = read_line();
    if (!first || first->size() < 12) return std::nullopt;
    answer.status = static_cast<unsigned>(std::strtoul(first->c_str() + 9, nullptr, 10));
    for (auto line = read_line();; line = read_line()) {
      if (!line) return std::nullopt;
      if (line->empty()) break;
      const std::size_t colon = line->find(": ");
      answer.headers.push_back({line->substr(0, colon), line->substr(colon + 2)});
    }
    if (is_head || answer.status == 100 || answer.status == 204) return answer;
    if (answer.header("transfer-encoding") == "chunked") return read_chunks(answer);
    const std::string length = answer.header("content-length");
    if (length.empty()) {
      answer.body = read_to_end();
      return answer;
    }
    return read_exactly(std::strtoul(length.c_str(), nullptr, 10), answer.body) ? std::optional(answer)
                                                                                : std::nullopt;
  }

  std::optional<RawAnswer> ask(std::string_view request) {
    send(request);
    return read_answer(request.starts_with("HEAD "));
  }

  bool read_exactly(std::size_t count, std::string& into) {
    while (buffer_.size() < count) {
      if (!receive()) return false;
    }
    into += buffer_.substr(0, count);
    buffer_.erase(0, count);
    return true;
  }

  std::string read_to_end() {
    while (receive()) {
    }
    return std::exchange(buffer_, {});
  }

  // Everything up to the end of `text`; what there is when the connection ends before.
  std::string read_until(std::string_view text) {
    std::size_t at = 0;
    while ((at = buffer_.find(text)) == std::string::npos) {
      if (!receive()) return std::exchange(buffer_, {});
    }
    std::string read = buffer_.substr(0, at + text.size());
    buffer_.erase(0, read.size());
    return read;
  }

  // Whether the server has closed the connection, with nothing more sent.
  bool is_closed_by_server() { return buffer_.empty() && !receive(); }

  void half_close() { ::shutdown(descriptor_, SHUT_WR); }

  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

  void reset() {
    const linger at_once = {.l_onoff = 1, .l_linger = 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

 private:
  std::optional<std::string> read_line() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      if (!receive()) return std::nullopt;
    }
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return line;
  }

  std::optional<RawAnswer> read_chunks(RawAnswer answer) {
    while (true) {
      const auto size = read_line();
      if (!size) return std::nullopt;
      const std::size_t count = std::strtoul(size->c_str(), nullptr, 16);
      std::string end;
      if (!read_exactly(count, answer.body) || !read_exactly(2, end) || end != "\r\n") return std::nullopt;
      if (count == 0) return answer;
    }
  }

  bool receive() {
    char part[4096];
    const ssize_t count = ::recv(descriptor_, part, sizeof part, 0);
    if (count <= 0) return false;
    buffer_.append(part, static_cast<std::size_t>(count));
    return true;
  }

  int descriptor_;
  std::string buffer_;
};

}  // namespace carat::http
