#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"

namespace carat::http {

// A request as a test server reads it: header names in lower case.
struct TestRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

// A whole response: its body after its length.
inline std::string response(std::string_view status, std::string_view body, std::string_view headers = "") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

// The server's end of one connection. Plain sockets, so that any bytes can be sent and any cut be made.
class TestConnection {
 public:
  TestConnection(int descriptor, SSL* tls) : descriptor_(descriptor), tls_(tls) {}

  const TestRequest& request() const { return request_; }

  // False once the other side went away.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const long count = tls_ != nullptr ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                                         : ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  // "200 OK" with a body and its length.
  bool reply(std::string_view status, std::string_view body, std::string_view headers = "") {
    const std::string all = response(status, body, headers);
    return send(std::string_view(all).substr(0, all.size() - (request_.method == "HEAD" ? body.size() : 0)));
  }

  bool redirect(std::string_view location, std::string_view status = "302 Found") {
    return reply(status, "", "Location: " + std::string(location) + "\r\n");
  }

  // Goes on with TLS on this connection and hands one request to `handle`.
  void serve_tls(SSL_CTX* context, const std::function<void(TestConnection&)>& handle) {
    const std::unique_ptr<SSL, void (*)(SSL*)> tls(SSL_new(context), SSL_free);
    SSL_set_fd(tls.get(), descriptor_);
    TestConnection inner(descriptor_, tls.get());
    if (SSL_accept(tls.get()) == 1 && inner.read_request()) handle(inner);
  }

  // Until the other side closes.
  void wait_for_close() {
    char byte = 0;
    while (receive(&byte) > 0) {
    }
  }

  bool read_request() {
    std::string text;
    while (!text.ends_with("\r\n\r\n")) {
      char byte = 0;
      if (receive(&byte) <= 0) return false;
      text += byte;
    }
    parse(text);
    return true;
  }

 private:
  long receive(char* byte) {
    return tls_ != nullptr ? SSL_read(tls_, byte, 1) : ::recv(descriptor_, byte, 1, 0);
  }

  void parse(std::string_view text) {
    request_ = {};
    const auto line = [&] {
      const std::size_t end = text.find("\r\n");
      const std::string_view taken = text.substr(0, end);
      text.remove_prefix(end + 2);
      return taken;
    };
    const std::string_view first = line();
    const std::size_t space = first.find(' ');
    request_.method = first.substr(0, space);
    request_.target = first.substr(space + 1, first.rfind(' ') - space - 1);
    for (std::string_view field = line(); !field.empty(); field = line()) {
      std::string name(field.substr(0, field.find(':')));
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      request_.headers[name] = field.substr(field.find(':') + 2);
    }
  }

  int descriptor_;
  SSL* tls_;
  TestRequest request_;
};

// A server on a free port of 127.0.0.1, one thread and one request for each connection. `handle` is called on
// those threads, after the request was read; the connection is closed when it returns.
class TestServer {
 public:
  using Handler = std::function<void(TestConnection&)>;

  explicit TestServer(Handler handle, SSL_CTX* tls = nullptr) : handle_(std::move(handle)), tls_(tls) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    CARAT_CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    CARAT_CHECK(::listen(listener_, 64) == 0);
    CARAT_CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ::ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~TestServer() {
    ::eventfd_write(end_, 1);
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(listener_);
    ::close(end_);
  }

  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  std::uint16_t port() const { return port_; }

  std::string url(std::string_view target = "/", std::string_view host = "127.0.0.1") const {
    return (tls_ != nullptr ? "https://" : "http://") + std::string(host) + ":" + std::to_string(port_) +
           std::string(target);
  }

  // All requests so far, in the order in which they came.
  std::vector<TestRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void accept_all() {
    while (true) {
      pollfd waiting[2] = {{listener_, POLLIN, 0}, {end_, POLLIN, 0}};
      ::poll(waiting, 2, -1);
      if (waiting[1].revents != 0) return;
      const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor >= 0) threads_.emplace_back([this, descriptor] { serve(descriptor); });
    }
  }

  void serve(int descriptor) {
    const auto record_and_handle = [this](TestConnection& connection) {
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(connection.request());
      }
      handle_(connection);
    };
    TestConnection connection(descriptor, nullptr);
    if (tls_ != nullptr) {
      connection.serve_tls(tls_, record_and_handle);
    } else if (connection.read_request()) {
      record_and_handle(connection);
    }
    ::shutdown(descriptor, SHUT_WR);
    ::close(descriptor);
  }

  Handler handle_;
  SSL_CTX* tls_;
  int listener_ = -1;
  int end_ = ::eventfd(0, EFD_CLOEXEC);
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<TestRequest> requests_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace carat::http
