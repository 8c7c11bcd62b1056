#include "http/client.h"

#include <utility>

#include "http/exchange.h"

namespace carat::http {
namespace {

bool is_redirect(unsigned status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool has_header(const std::vector<Header>& headers, std::string_view name) {
  return find_header(headers, name).has_value();
}

void remove_header(std::vector<Header>& headers, std::string_view name) {
  std::erase_if(headers, [&](const Header& header) { return same_name(header.name, name); });
}

Result<> check_authorization(const Request& request, const Url& url) {
  if (url.tls || url.is_loopback() || !has_header(request.headers, "Authorization")) return {};
  return fail(ErrorKind::kUsage, "{}: a token is not sent without encryption; use an https:// address",
              url.without_query());
}

class TextSink final : public BodySink {
 public:
  explicit TextSink(std::size_t limit) : limit_(limit) {}

  Result<> begin(const ResponseHead& head) override {
    url_ = head.url;
    return {};
  }
  Result<> write(std::span<const std::byte> bytes) override {
    if (bytes.size() > limit_ - text.size()) {
      return fail(ErrorKind::kNetwork, "{}: the answer has more than {} bytes", url_, limit_);
    }
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }

  std::string text;

 private:
  std::size_t limit_;
  std::string url_;
};

}  // namespace

bool is_unreachable(const Error& error) {
  return error.kind == ErrorKind::kNetwork && error.message.starts_with(kCannotReach);
}

struct Client::Shared {
  explicit Shared(ClientOptions given) : options(std::move(given)) {}
  ClientOptions options;
  TlsContext tls;
};

Client::Client(ClientOptions options) : shared_(std::make_unique<const Shared>(std::move(options))) {}
Client::~Client() = default;

Result<ResponseHead> Client::send(const Request& request, BodySink& sink, const std::stop_token& stop) const {
  CARAT_TRY(Url url, Url::parse(request.url));
  CARAT_TRY_VOID(check_authorization(request, url));
  Request current = request;
  for (std::size_t redirects = 0;; ++redirects) {
    Exchange exchange(shared_->options, shared_->tls, stop);
    CARAT_TRY(ResponseHead head, exchange.begin(current, url));
    const auto location = head.find("Location");
    if (!is_redirect(head.status) || !location) {
      CARAT_TRY_VOID(sink.begin(head));
      CARAT_TRY_VOID(exchange.read_body(sink));
      return head;
    }
    if (redirects == shared_->options.most_redirects) {
      return fail(ErrorKind::kNetwork, "{}: more than {} redirects", request.url, redirects);
    }
    auto next = url.resolve(*location);
    if (!next) {
      return fail(ErrorKind::kNetwork, "{}: redirect: {}", url.without_query(), next.error().message);
    }
    if (url.tls && !next->tls) {
      return fail(ErrorKind::kNetwork, "{}: refused a redirect from https to {}", url.without_query(),
                  next->without_query());
    }
    if (!url.same_origin(*next)) remove_header(current.headers, "Authorization");
    url = std::move(*next);
  }
}

Result<TextResponse> Client::fetch_text(const Request& request, std::size_t limit,
                                        const std::stop_token& stop) const {
  TextSink sink(limit);
  CARAT_TRY(ResponseHead head, send(request, sink, stop));
  return TextResponse{std::move(head), std::move(sink.text)};
}

}  // namespace carat::http
