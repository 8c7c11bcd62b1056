#include "http/request_parser.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <utility>

#include "http/head_scanner.h"

namespace carat::http {
namespace {

namespace beast = boost::beast;
using boost::system::error_code;

constexpr Refusal kMalformedHead{400, "the request's head is malformed"};
constexpr Refusal kMalformedBody{400, "the request's body is not framed as announced"};
constexpr Refusal kRepeated{400, "a header that may come once came twice"};
constexpr Refusal kNoHost{400, "the Host header is missing"};
constexpr Refusal kBadLength{400, "the request's length is not clear"};
constexpr Refusal kLongTarget{414, "the request's path is too long"};
constexpr Refusal kTooLarge{413, "the request's body is too large"};
constexpr Refusal kEncoded{415, "request bodies with a content encoding are not supported"};
constexpr Refusal kExpectation{417, "the expectation cannot be met"};
constexpr Refusal kVersion{505, "only HTTP/1.0 and HTTP/1.1 are supported"};

// More of a chunk's first line than any number needs.
constexpr std::size_t kMostChunkLine = 64;

constexpr std::array<std::string_view, 11> kSingleHeaders = {
    "host",   "content-length", "transfer-encoding", "content-type",   "content-encoding", "authorization",
    "origin", "expect",         "x-request-id",      "sec-fetch-site", "x-api-key"};

bool is_single(std::string_view name) {
  return std::ranges::any_of(kSingleHeaders,
                             [&](std::string_view single) { return same_name(single, name); });
}

bool is_decimal(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Whether a request line that has no version we know has another one: "GET /a HTTP/2.0".
bool names_version(std::string_view input) {
  const std::string_view line = input.substr(0, input.find("\r\n"));
  return std::ranges::count(line, ' ') == 2 && line.substr(line.rfind(' ')).starts_with(" HTTP/");
}

}  // namespace

class RequestParser::Impl final : public beast::http::basic_parser<true> {
 public:
  explicit Impl(const ServerLimits& limits) : limits_(limits), scanner_(limits) {
    header_limit(static_cast<std::uint32_t>(limits.most_header_bytes) + 1);
    body_limit(boost::none);
  }

  std::expected<std::size_t, Refusal> read_head(std::string_view input) {
    const auto length = scanner_.scan(input);
    if (!length) return std::unexpected(length.error());
    if (!*length) return 0;
    error_code error;
    const std::size_t used = put(boost::asio::const_buffer(input.data(), **length), error);
    if (error == beast::http::error::bad_version)
      return std::unexpected(names_version(input) ? kVersion : kMalformedHead);
    if (error == beast::http::error::bad_content_length ||
        error == beast::http::error::multiple_content_length ||
        error == beast::http::error::bad_transfer_encoding) {
      return std::unexpected(kBadLength);
    }
    if (error || used != **length) return std::unexpected(kMalformedHead);
    if (const auto refusal = check_head()) return std::unexpected(*refusal);
    eager(true);
    return used;
  }

  std::expected<std::size_t, Refusal> read_body(std::string_view input) {
    if (is_done()) return 0;
    error_code error;
    const std::size_t used = put(boost::asio::const_buffer(input.data(), input.size()), error);
    if (error == beast::http::error::body_limit) return std::unexpected(kTooLarge);
    if (error && error != beast::http::error::need_more) return std::unexpected(kMalformedBody);
    if (!is_done() && input.size() - used > kMostChunkLine) return std::unexpected(kMalformedBody);
    return used;
  }

  RequestHead head;
  std::string body;

 private:
  std::optional<Refusal> check_head() {
    if (head.target.size() > limits_.most_target_bytes) return kLongTarget;
    for (std::size_t i = 0; i < head.headers.size(); ++i) {
      const auto same = [&](const Header& other) { return same_name(other.name, head.headers[i].name); };
      if (is_single(head.headers[i].name) &&
          std::any_of(head.headers.begin(), head.headers.begin() + i, same)) {
        return kRepeated;
      }
    }
    if (!head.is_http_1_0 && !find_header(head.headers, "host")) return kNoHost;
    if (const auto refusal = check_length()) return refusal;
    if (const auto encoding = find_header(head.headers, "content-encoding");
        encoding && !same_name(*encoding, "identity")) {
      return kEncoded;
    }
    if (const auto expect = find_header(head.headers, "expect")) {
      if (!same_name(*expect, "100-continue")) return kExpectation;
      head.expects_continue = !head.is_http_1_0;
    }
    head.keep_alive = keep_alive();
    head.has_body = !is_done();
    return std::nullopt;
  }

  std::optional<Refusal> check_length() {
    const auto length = find_header(head.headers, "content-length");
    const auto coding = find_header(head.headers, "transfer-encoding");
    if (length && (coding || !is_decimal(*length))) return kBadLength;
    if (coding && (head.is_http_1_0 || !same_name(*coding, "chunked"))) return kBadLength;
    if (length) head.content_length = content_length().value_or(0);
    return std::nullopt;
  }

  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                       error_code&) override {
    head.method = method;
    head.target = target;
    head.is_http_1_0 = version == 10;
  }
  void on_response_impl(int, beast::string_view, int, error_code&) override {}

  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                     error_code& error) override {
    if (is_header_done()) {  // a trailer: nobody looks at them, so nobody shall be able to hide something
                             // there
      error = beast::http::error::bad_field;
      return;
    }
    head.headers.push_back({std::string(name), std::string(value)});
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}

  std::size_t on_body_impl(beast::string_view bytes, error_code&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, beast::string_view extensions, error_code& error) override {
    if (!extensions.empty()) error = beast::http::error::bad_chunk_extension;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view bytes, error_code&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}

  const ServerLimits& limits_;
  HeadScanner scanner_;
};

RequestParser::RequestParser(const ServerLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;

std::expected<std::size_t, Refusal> RequestParser::read_head(std::string_view input) {
  return impl_->read_head(input);
}

const RequestHead& RequestParser::head() const { return impl_->head; }

std::expected<void, Refusal> RequestParser::limit_body(std::size_t most_bytes) {
  if (impl_->head.content_length.value_or(0) > most_bytes) return std::unexpected(kTooLarge);
  impl_->body_limit(most_bytes);
  return {};
}

std::expected<std::size_t, Refusal> RequestParser::read_body(std::string_view input) {
  return impl_->read_body(input);
}

bool RequestParser::is_done() const { return impl_->is_done(); }
std::string& RequestParser::body() { return impl_->body; }

}  // namespace carat::http
