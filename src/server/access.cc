#include "server/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cctype>
#include <chrono>
#include <optional>
#include <utility>

#include "server/route_access.h"

namespace carat::server {
namespace {

using store::KeyScope;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
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

bool is_allowed_origin(const AccessRules& rules, std::string_view origin) {
  return contains(rules.allowed_origins, lower(origin));
}

ApiResult<> check_host(const AccessRules& rules, const http::ServerRequest& request) {
  const auto header = request.header("Host");
  if (!header) return {};  // HTTP/1.0, and so no browser
  const std::string host = host_of(*header);
  if (is_loopback_name(host) || is_address(host) || contains(rules.allowed_hosts, host)) return {};
  return refuse(ApiErrorCode::kHostNotAllowed);
}

ApiResult<> check_origin(const AccessRules& rules, const http::ServerRequest& request) {
  if (const auto origin = request.header("Origin")) {
    const std::string own =
        (request.peer.is_encrypted ? "https://" : "http://") + lower(request.header("Host").value_or(""));
    if (lower(*origin) == own || is_allowed_origin(rules, *origin)) return {};
    return refuse(ApiErrorCode::kOriginNotAllowed);
  }
  const std::string site = lower(request.header("Sec-Fetch-Site").value_or("none"));
  if (site == "none" || site == "same-origin") return {};
  return refuse(ApiErrorCode::kOriginNotAllowed);
}

// Whose key the request has; null where none is needed.
ApiResult<std::shared_ptr<const KeyHolder>> find_holder(const AccessRules& rules,
                                                        const http::ServerRequest& request) {
  if (!rules.needs_key) return nullptr;
  const auto key = key_of(request);
  if (!key) return refuse(ApiErrorCode::kMissingApiKey);
  auto holder = rules.file_keys->find(*key);
  if (holder == nullptr) holder = rules.stored_keys->find(*key);
  if (holder == nullptr) return refuse(ApiErrorCode::kInvalidApiKey);
  return holder;
}

ApiResult<> check_scope(const KeyHolder& holder, RouteAccess access) {
  const auto needs = [&](KeyScope scope) -> ApiResult<> {
    if (holder.scopes.has(scope)) return {};
    std::string message = fmt::format("This key may not do this: it lacks the scope {}.",
                                      store::to_text({std::to_underlying(scope)}));
    return std::unexpected(ApiError{.code = ApiErrorCode::kForbidden, .message = std::move(message)});
  };
  switch (access) {
    case RouteAccess::kOpen: return {};
    case RouteAccess::kInference: return needs(KeyScope::kInference);
    case RouteAccess::kMetrics: return needs(KeyScope::kMetrics);
    case RouteAccess::kAdmin: return needs(KeyScope::kAdmin);
    case RouteAccess::kDenied: break;
  }
  return refuse(ApiErrorCode::kForbidden);
}

// As Go writes them, which is how OpenAI's API has them: "250ms", "59s", "1m0s".
std::string duration_text(std::chrono::milliseconds time) {
  const std::int64_t all = time.count();
  constexpr std::int64_t kSecond = 1000;
  constexpr std::int64_t kMinute = 60 * kSecond;
  if (all < kSecond) return fmt::format("{}ms", all);
  const std::int64_t seconds = (all + kSecond - 1) / kSecond;
  if (all <= kMinute - kSecond) return fmt::format("{}s", seconds);
  return fmt::format("{}m{}s", seconds / 60, seconds % 60);
}

void add_rest(std::vector<http::Header>& headers, const std::optional<KeyMeter::Rest>& rest,
              std::string_view what) {
  if (!rest) return;
  headers.push_back({fmt::format("x-ratelimit-limit-{}", what), fmt::format("{}", rest->most)});
  headers.push_back({fmt::format("x-ratelimit-remaining-{}", what), fmt::format("{}", rest->left)});
  headers.push_back({fmt::format("x-ratelimit-reset-{}", what), duration_text(rest->full)});
}

std::vector<http::Header> cors_headers(const AccessRules& rules, const http::ServerRequest& request) {
  const auto origin = request.header("Origin");
  if (!origin || !is_allowed_origin(rules, *origin)) return {};
  const bool any = std::ranges::find(rules.allowed_origins, "*") != rules.allowed_origins.end();
  return {{"Access-Control-Allow-Origin", any ? "*" : std::string(*origin)},
          {"Access-Control-Expose-Headers",
           "x-request-id, Retry-After, retry-after-ms, x-should-retry, x-ratelimit-limit-requests, "
           "x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
           "x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"},
          {"Vary", "Origin"}};
}

void note_keys(AccessRules& rules) {
  rules.needs_key |= !rules.file_keys->entries().empty() || !rules.stored_keys->entries().empty();
}

}  // namespace

bool is_local_address(std::string_view address) {
  if (address.starts_with("unix:") || is_loopback_name(lower(address))) return true;
  boost::system::error_code error;
  const auto parsed = boost::asio::ip::make_address(std::string(address), error);
  return !error && parsed.is_loopback();
}

Result<> check_address(std::string_view address, bool has_keys) {
  if (has_keys || is_local_address(address)) return {};
  return fail(
      ErrorKind::kUsage,
      "others can reach {}, so a key is needed: carat keys add NAME makes one, or --api-key-file names a "
      "file with one key a line (openssl rand -hex 32 makes one); or bind to 127.0.0.1",
      address);
}

Access::Access(AccessOptions options)
    : most_requests_(options.most_requests),
      most_requests_of_key_(options.most_requests_of_key),
      now_(std::move(options.now)) {
  note_keys(options.rules);
  rules_ = std::make_shared<const AccessRules>(std::move(options.rules));
}

void Access::change(const std::function<void(AccessRules&)>& change) {
  const std::lock_guard turn(changing_);
  AccessRules changed = *rules();
  change(changed);
  note_keys(changed);
  auto fresh = std::make_shared<const AccessRules>(std::move(changed));
  const std::lock_guard lock(mutex_);
  rules_.swap(fresh);
}

std::shared_ptr<const AccessRules> Access::rules() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

std::expected<http::Pass, http::Response> Access::check(const http::ServerRequest& request,
                                                        const http::Route* route) const {
  const auto rules = this->rules();
  std::vector<http::Header> headers = cors_headers(*rules, request);
  // What a page may not read is an error that it may not read either: no CORS headers there but for allowed
  // ones.
  const auto refused = [&](const ApiError& error) {
    http::Response response = error_response(error, shape_of(request.path));
    response.headers.insert(response.headers.end(), headers.begin(), headers.end());
    return std::unexpected(std::move(response));
  };
  if (const auto checked = check_host(*rules, request); !checked) return refused(checked.error());
  if (const auto checked = check_origin(*rules, request); !checked) return refused(checked.error());
  if (is_preflight(request) && !headers.empty()) {  // comes without the key
    headers.push_back({"Access-Control-Allow-Methods", "GET, POST, DELETE"});
    headers.push_back({"Access-Control-Allow-Headers", allowed_headers(request)});
    headers.push_back({"Access-Control-Max-Age", "600"});
    return std::unexpected(http::Response{.status = 204, .headers = std::move(headers)});
  }
  const auto access = route == nullptr ? RouteAccess::kOpen : static_cast<RouteAccess>(route->options.access);
  if (route != nullptr && access == RouteAccess::kOpen) return http::Pass{.headers = std::move(headers)};
  auto holder = find_holder(*rules, request);
  if (!holder) return refused(holder.error());
  if (access == RouteAccess::kDenied) return refused({.code = ApiErrorCode::kForbidden});
  if (*holder != nullptr) {
    if (const auto checked = check_scope(**holder, access); !checked) return refused(checked.error());
  }
  auto admission = admit(std::move(*holder), headers);
  if (!admission) return refused(admission.error());
  return http::Pass{.headers = std::move(headers), .ticket = std::move(*admission)};
}

ApiResult<std::shared_ptr<Admission>> Access::admit(std::shared_ptr<const KeyHolder> holder,
                                                    std::vector<http::Header>& headers) const {
  if (count_->running.fetch_add(1) >= most_requests_) {
    --count_->running;
    return refuse(ApiErrorCode::kOverloaded);
  }
  if (holder != nullptr) {
    const Moment now = now_();
    const auto refusal = holder->meter->begin(now, most_requests_of_key_);
    const KeyMeter::Rests rests = holder->meter->rests(now);
    add_rest(headers, rests.requests, "requests");
    add_rest(headers, rests.tokens, "tokens");
    if (refusal) {
      --count_->running;
      return std::unexpected(limit_error(*refusal));
    }
  }
  return std::make_shared<Admission>(std::move(holder), count_, now_);
}

std::string Access::owner_of(const http::ServerRequest& request) {
  const Admission* admission = Admission::of(request);
  return admission == nullptr ? std::string() : admission->owner();
}

}  // namespace carat::server
