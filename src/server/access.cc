#include "server/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <cctype>
#include <utility>

#include "base/sha256.h"

namespace carat::server {
namespace {

constexpr std::size_t kLeastKeyLength = 16;
constexpr std::string_view kHashPrefix = "sha256:";
constexpr std::array<std::string_view, 4> kOpenPaths = {"/health", "/ready", "/v1/health", "/v1/ready"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

Sha256Digest hash(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

// Looks at every byte, whatever the first ones are.
bool same_digest(const Sha256Digest& a, const Sha256Digest& b) {
  std::byte difference{0};
  for (std::size_t i = 0; i < a.size(); ++i) difference |= a[i] ^ b[i];
  return difference == std::byte{0};
}

class HashedKeys final : public KeyRing {
 public:
  explicit HashedKeys(std::vector<Sha256Digest> digests) : digests_(std::move(digests)) {}

  std::optional<std::string> owner_of(std::string_view key) const override {
    const Sha256Digest digest = hash(key);
    bool found = false;
    for (const Sha256Digest& known : digests_) found |= same_digest(digest, known);
    if (!found) return std::nullopt;
    // The hash of the hash: an owner's name tells nothing that would help to find the key.
    return "key:" + to_hex(sha256(digest)).substr(0, 32);
  }

 private:
  std::vector<Sha256Digest> digests_;
};

std::optional<Sha256Digest> parse_digest(std::string_view text) {
  Sha256Digest digest = {};
  if (text.size() != digest.size() * 2) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = static_cast<char>(std::tolower(static_cast<unsigned char>(text[i])));
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && !(c >= 'a' && c <= 'f')) return std::nullopt;
    const int value = is_digit ? c - '0' : c - 'a' + 10;
    digest[i / 2] = digest[i / 2] << 4 | static_cast<std::byte>(value);
  }
  return digest;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The key of one line.
Result<Sha256Digest> parse_key(const std::string& source, std::size_t number, std::string_view line) {
  if (line.starts_with(kHashPrefix)) {
    if (const auto digest = parse_digest(line.substr(kHashPrefix.size()))) return *digest;
    return fail(ErrorKind::kUsage, "{}:{}: expected {} and 64 hexadecimal digits", source, number,
                kHashPrefix);
  }
  const bool is_printable = std::ranges::all_of(line, [](char c) { return c > ' ' && c < '\x7F'; });
  if (line.size() >= kLeastKeyLength && is_printable) return hash(line);
  return fail(ErrorKind::kUsage, "{}:{}: a key needs {} or more characters of printable ASCII without blanks",
              source, number, kLeastKeyLength);
}

// "[::1]:8080" -> "::1", "localhost:8080" -> "localhost".
std::string host_of(std::string_view authority) {
  if (authority.starts_with('[')) return lower(authority.substr(1, authority.find(']') - 1));
  return lower(authority.substr(0, authority.rfind(':')));
}

bool is_address(const std::string& host) {
  boost::system::error_code error;
  boost::asio::ip::make_address(host, error);
  return !error;
}

bool is_loopback_name(std::string_view host) { return host == "localhost" || host.ends_with(".localhost"); }

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::ranges::any_of(list,
                             [text](const std::string& item) { return item == "*" || lower(item) == text; });
}

bool is_preflight(const http::ServerRequest& request) {
  return request.method == "OPTIONS" && request.header("Origin") &&
         request.header("Access-Control-Request-Method");
}

// Those that the page wants to send: client libraries have many of their own.
std::string allowed_headers(const http::ServerRequest& request) {
  const std::string wanted(request.header("Access-Control-Request-Headers").value_or(""));
  const bool is_list = std::ranges::all_of(wanted, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == ',' || c == ' ';
  });
  return is_list && !wanted.empty() ? wanted : "authorization, content-type, x-api-key";
}

std::optional<std::string_view> key_of(const http::ServerRequest& request) {
  const auto authorization = request.header("Authorization");
  if (!authorization) return request.header("x-api-key");
  constexpr std::string_view kScheme = "bearer ";
  if (lower(authorization->substr(0, kScheme.size())) != kScheme) return std::string_view();
  return trim(authorization->substr(kScheme.size()));
}

std::unexpected<ApiError> refuse(ApiErrorCode code) { return std::unexpected(ApiError{.code = code}); }

}  // namespace

Result<std::unique_ptr<KeyRing>> parse_key_file(const std::string& source, std::string_view text) {
  std::vector<Sha256Digest> digests;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    CARAT_TRY(digests.emplace_back(), parse_key(source, number, line));
  }
  if (digests.empty())
    return fail(ErrorKind::kUsage, "{}: expected API keys, one a line, found none", source);
  return std::make_unique<HashedKeys>(std::move(digests));
}

Result<> check_address(std::string_view address, bool has_keys) {
  if (has_keys || address.starts_with("unix:") || is_loopback_name(lower(address))) return {};
  boost::system::error_code error;
  const auto parsed = boost::asio::ip::make_address(std::string(address), error);
  if (!error && parsed.is_loopback()) return {};
  return fail(
      ErrorKind::kUsage,
      "others can reach {}, so a key is needed: --api-key-file names a file with one key a line (openssl "
      "rand -hex 32 makes one); or bind to 127.0.0.1",
      address);
}

bool Access::is_allowed_origin(std::string_view origin) const {
  return contains(options_.allowed_origins, lower(origin));
}

ApiResult<> Access::check_host(const http::ServerRequest& request) const {
  const auto header = request.header("Host");
  if (!header) return {};  // HTTP/1.0, and so no browser
  const std::string host = host_of(*header);
  if (is_loopback_name(host) || is_address(host) || contains(options_.allowed_hosts, host)) return {};
  return refuse(ApiErrorCode::kHostNotAllowed);
}

ApiResult<> Access::check_origin(const http::ServerRequest& request) const {
  if (const auto origin = request.header("Origin")) {
    const std::string own =
        (request.peer.is_encrypted ? "https://" : "http://") + lower(request.header("Host").value_or(""));
    if (lower(*origin) == own || is_allowed_origin(*origin)) return {};
    return refuse(ApiErrorCode::kOriginNotAllowed);
  }
  const std::string site = lower(request.header("Sec-Fetch-Site").value_or("none"));
  if (site == "none" || site == "same-origin") return {};
  return refuse(ApiErrorCode::kOriginNotAllowed);
}

ApiResult<> Access::check_key(const http::ServerRequest& request) const {
  if (options_.keys == nullptr || std::ranges::find(kOpenPaths, request.path) != kOpenPaths.end()) return {};
  const auto key = key_of(request);
  if (!key) return refuse(ApiErrorCode::kMissingApiKey);
  if (!options_.keys->owner_of(*key)) return refuse(ApiErrorCode::kInvalidApiKey);
  return {};
}

std::expected<std::vector<http::Header>, http::Response> Access::check(
    const http::ServerRequest& request) const {
  std::vector<http::Header> headers;
  const auto origin = request.header("Origin");
  if (origin && is_allowed_origin(*origin)) {
    const bool any = std::ranges::find(options_.allowed_origins, "*") != options_.allowed_origins.end();
    headers = {{"Access-Control-Allow-Origin", any ? "*" : std::string(*origin)},
               {"Access-Control-Expose-Headers", "x-request-id, Retry-After, retry-after-ms"},
               {"Vary", "Origin"}};
  }
  // What a page may not read is an error that it may not read either: no CORS headers there but for allowed
  // ones.
  const auto refused = [&](const ApiError& error) {
    http::Response response = error_response(error, shape_of(request.path));
    response.headers.insert(response.headers.end(), headers.begin(), headers.end());
    return std::unexpected(std::move(response));
  };
  if (const auto checked = check_host(request); !checked) return refused(checked.error());
  if (const auto checked = check_origin(request); !checked) return refused(checked.error());
  if (is_preflight(request) && !headers.empty()) {  // comes without the key
    headers.push_back({"Access-Control-Allow-Methods", "GET, POST, DELETE"});
    headers.push_back({"Access-Control-Allow-Headers", allowed_headers(request)});
    headers.push_back({"Access-Control-Max-Age", "600"});
    return std::unexpected(http::Response{.status = 204, .headers = std::move(headers)});
  }
  if (const auto checked = check_key(request); !checked) return refused(checked.error());
  return headers;
}

std::string Access::owner_of(const http::ServerRequest& request) const {
  if (options_.keys == nullptr) return {};
  return options_.keys->owner_of(key_of(request).value_or("")).value_or("");
}

}  // namespace carat::server
