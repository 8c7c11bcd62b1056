#include "http/exchange.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <utility>

namespace carat::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr int kMostInterimResponses = 8;                   // 1xx before the real one
constexpr std::size_t kBodyPart = std::size_t{256} << 10;  // handed to a sink at once

// An IPv6 address stands in brackets there.
std::string proxy_target(const Url& url) {
  const bool is_address = url.host.find(':') != std::string::npos;
  return is_address ? fmt::format("[{}]:{}", url.host, url.port) : fmt::format("{}:{}", url.host, url.port);
}

bool is_ip_address(const std::string& host) {
  error_code error;
  asio::ip::make_address(host, error);
  return !error;
}

ResponseHead copy_head(const beast::http::response_header<>& from, const Url& url) {
  ResponseHead head;
  head.status = from.result_int();
  head.url = url.text();
  for (const auto& field : from) head.headers.push_back({std::string(field.name_string()), field.value()});
  return head;
}

}  // namespace

struct TlsContext::Impl {
  ssl::context context{ssl::context::tls_client};
};

TlsContext::TlsContext() : impl_(std::make_unique<Impl>()) {
  error_code ignored;  // without any certificate, each handshake fails and says so
  impl_->context.set_default_verify_paths(ignored);
  SSL_CTX_set_min_proto_version(impl_->context.native_handle(), TLS1_2_VERSION);
}

TlsContext::~TlsContext() = default;

struct Exchange::Impl {
  using Parser = beast::http::response_parser<beast::http::buffer_body>;

  Impl(const ClientOptions& client_options, const TlsContext& tls_context, const std::stop_token& token)
      : options(client_options), tls(tls_context), stop(token), callback(token, Cancel{this}) {}

  // Starts one asynchronous operation and waits until it is done, its time is up or a stop is requested.
  //   start   called with a handler of (error_code, ...)
  template <class Start>
  error_code wait(std::chrono::milliseconds limit, Start start) {
    if (stop.stop_requested()) return asio::error::operation_aborted;
    stream.expires_after(limit);
    error_code result;
    start([&result](error_code error, const auto&...) { result = error; });
    context.restart();
    context.run();
    return result;
  }

  // What went wrong while `doing` ("connecting").
  std::unexpected<Error> failed(std::string_view doing, error_code error) {
    if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    std::string why = error.message();
    if (error == beast::error::timeout) why = "no answer in time";
    if (error == beast::http::error::partial_message || error == beast::http::error::end_of_stream ||
        error == ssl::error::stream_truncated || error == asio::error::eof) {
      why = "the connection was cut";
    }
    if (secure && doing == "the TLS handshake") {
      const long verdict = SSL_get_verify_result(secure->native_handle());
      if (verdict != X509_V_OK) {
        why = fmt::format("the server's certificate is not trusted: {}",
                          X509_verify_cert_error_string(verdict));
      }
    }
    return fail(ErrorKind::kNetwork, "{}: {}: {}", place, doing, why);
  }

  // In words that need no knowledge of networks.
  std::unexpected<Error> unreachable(const std::string& host, std::string_view what, error_code error) {
    if (stop.stop_requested()) return fail(ErrorKind::kInterrupted, "interrupted");
    std::string why = error == beast::error::timeout ? "it does not answer" : error.message();
    if (error == asio::error::connection_refused) why = "nothing answers at that address";
    return fail(ErrorKind::kNetwork, "{}{}: {}{}; is there a network connection? (for {})", kCannotReach,
                host, what, why, place);
  }

  Result<> connect(const std::string& host, std::uint16_t port) {
    asio::ip::tcp::resolver::results_type addresses;
    error_code error = wait(options.connect_timeout, [&](auto handler) {
      resolver.async_resolve(host, std::to_string(port),
                             [&addresses, handler](error_code e, auto found) mutable {
                               addresses = std::move(found);
                               handler(e);
                             });
    });
    if (error) return unreachable(host, "its address cannot be found: ", error);
    error = wait(options.connect_timeout, [&](auto handler) { stream.async_connect(addresses, handler); });
    if (error) return unreachable(host, "", error);
    return {};
  }

  // Asks the proxy for a way through to the server.
  Result<> open_tunnel(const Url& url, const Proxy& proxy) {
    beast::http::request<beast::http::empty_body> ask(beast::http::verb::connect, proxy_target(url), 11);
    ask.set(beast::http::field::host, proxy_target(url));
    if (!proxy.authorization.empty()) ask.set(beast::http::field::proxy_authorization, proxy.authorization);
    error_code error =
        wait(options.idle_timeout, [&](auto handler) { beast::http::async_write(stream, ask, handler); });
    if (error) return failed("asking the proxy", error);
    Parser answer;
    answer.skip(true);
    answer.header_limit(header_limit());
    error = wait(options.idle_timeout,
                 [&](auto handler) { beast::http::async_read_header(stream, buffer, answer, handler); });
    if (error) return failed("the proxy's answer", error);
    if (answer.get().result_int() / 100 != 2) {
      return fail(ErrorKind::kNetwork, "{}: the proxy {} refused the connection with status {}", place,
                  proxy.host, answer.get().result_int());
    }
    return {};
  }

  Result<> start_tls(const Url& url) {
    secure.emplace(stream, tls.impl_->context);
    secure->set_verify_mode(ssl::verify_peer);
    error_code error;
    secure->set_verify_callback(ssl::host_name_verification(url.host), error);
    const bool named =
        is_ip_address(url.host) || SSL_set_tlsext_host_name(secure->native_handle(), url.host.c_str()) == 1;
    if (error || !named) return fail(ErrorKind::kFailed, "{}: cannot prepare TLS", place);
    error = wait(options.connect_timeout,
                 [&](auto handler) { secure->async_handshake(ssl::stream_base::client, handler); });
    if (error) return failed("the TLS handshake", error);
    return {};
  }

  // `operation` on whichever stream the message travels.
  template <class Operation>
  error_code on_stream(Operation operation) {
    return wait(options.idle_timeout, [&](auto handler) {
      if (secure) {
        operation(*secure, handler);
      } else {
        operation(stream, handler);
      }
    });
  }

  Result<ResponseHead> read_head(const Url& url, bool without_body) {
    for (int interim = 0; interim <= kMostInterimResponses; ++interim) {
      parser.emplace();
      parser->header_limit(header_limit());
      parser->body_limit(boost::none);
      parser->skip(without_body);
      const error_code error = on_stream(
          [&](auto& on, auto handler) { beast::http::async_read_header(on, buffer, *parser, handler); });
      if (error == beast::http::error::header_limit) {
        return fail(ErrorKind::kNetwork, "{}: the headers have more than {} bytes", place,
                    options.most_header_bytes);
      }
      if (error) return failed("waiting for an answer", error);
      if (parser->get().result_int() / 100 != 1) return copy_head(parser->get(), url);
    }
    return fail(ErrorKind::kNetwork, "{}: more than {} interim answers", place, kMostInterimResponses);
  }

  std::uint32_t header_limit() const { return static_cast<std::uint32_t>(options.most_header_bytes); }

  // A stop may be requested on any thread; the operation that waits ends on this one. Closing, since
  // a cancelled connect would go on to the next address.
  struct Cancel {
    Impl* impl;
    void operator()() const {
      asio::post(impl->context, [impl = impl] {
        impl->resolver.cancel();
        impl->stream.close();
      });
    }
  };

  const ClientOptions& options;
  const TlsContext& tls;
  std::stop_token stop;
  std::string place;  // for messages: the address without its query
  asio::io_context context{1};
  asio::ip::tcp::resolver resolver{context};
  beast::tcp_stream stream{context};
  std::optional<ssl::stream<beast::tcp_stream&>> secure;
  beast::flat_buffer buffer;
  std::optional<Parser> parser;
  std::stop_callback<Cancel> callback;  // gone before what it cancels
};

Exchange::Exchange(const ClientOptions& options, const TlsContext& tls, const std::stop_token& stop)
    : impl_(std::make_unique<Impl>(options, tls, stop)) {}

Exchange::~Exchange() = default;

Result<ResponseHead> Exchange::begin(const Request& request, const Url& url) {
  impl_->place = url.without_query();
  const auto proxy = impl_->options.proxies.proxy_for(url);
  CARAT_TRY_VOID(proxy ? impl_->connect(proxy->host, proxy->port) : impl_->connect(url.host, url.port));
  if (proxy && url.tls) CARAT_TRY_VOID(impl_->open_tunnel(url, *proxy));
  if (url.tls) CARAT_TRY_VOID(impl_->start_tls(url));

  const bool head_only = request.method == Method::kHead;
  beast::http::request<beast::http::empty_body> message(
      head_only ? beast::http::verb::head : beast::http::verb::get,
      proxy && !url.tls ? url.text() : url.target, 11);
  message.set(beast::http::field::host, url.authority());
  message.set(beast::http::field::user_agent, impl_->options.user_agent);
  message.set(beast::http::field::accept_encoding, "identity");  // bytes are counted and hashed as they are
  message.set(beast::http::field::connection, "close");
  if (proxy && !url.tls && !proxy->authorization.empty()) {
    message.set(beast::http::field::proxy_authorization, proxy->authorization);
  }
  for (const Header& header : request.headers) {
    if (header.value.find_first_of("\r\n") != std::string::npos) {
      return fail(ErrorKind::kUsage, "{}: the value of {} holds a line break", impl_->place, header.name);
    }
    message.set(header.name, header.value);
  }
  const error_code error =
      impl_->on_stream([&](auto& on, auto handler) { beast::http::async_write(on, message, handler); });
  if (error) return impl_->failed("sending the request", error);
  return impl_->read_head(url, head_only);
}

Result<> Exchange::read_body(BodySink& sink) {
  auto& parser = *impl_->parser;
  std::vector<std::byte> part(kBodyPart);
  while (!parser.is_done()) {
    auto& body = parser.get().body();
    body.data = part.data();
    body.size = part.size();
    const error_code error = impl_->on_stream(
        [&](auto& on, auto handler) { beast::http::async_read_some(on, impl_->buffer, parser, handler); });
    // What came before a cut is as good as any: the sink has it before the error is told.
    const std::size_t count = part.size() - parser.get().body().size;
    if (count > 0) CARAT_TRY_VOID(sink.write(std::span(part).first(count)));
    if (error && error != beast::http::error::need_buffer) {
      return impl_->failed("reading the answer", error);
    }
  }
  return {};
}

}  // namespace carat::http
