#include "http/incoming_request.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "http/refusal_response.h"
#include "http/request_target.h"

namespace carat::http {
namespace {

constexpr std::size_t kMostIdBytes = 64;
constexpr Refusal kNoPath{404, "there is nothing at this path"};
constexpr Refusal kNoMethod{405, "this path does not take this method"};
constexpr Refusal kFailed{500, "the server failed to answer this request"};

bool is_id_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
         c == '-';
}

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= kMostIdBytes && std::ranges::all_of(text, is_id_character);
}

std::string random_id() {
  std::array<std::uint64_t, 2> bits = {};
  CARAT_CHECK(::getrandom(bits.data(), sizeof bits, 0) == sizeof bits);
  return fmt::format("{:016x}{:016x}", bits[0], bits[1]);
}

Response allow_response(const ServerCore& core, const ServerRequest& request, const std::string& allow) {
  Response response;
  response.status = 204;
  if (request.method != "OPTIONS") response = refusal_response(*core.options, kNoMethod, request.path);
  response.headers.push_back({"Allow", allow});
  return response;
}

// What the guard says; an exception of it lets nobody in.
std::expected<Pass, Response> ask_guard(const ServerCore& core, const ServerRequest& request,
                                        const Route* route) {
  if (!core.router.guard()) return {};
  try {
    return core.router.guard()(request, route);
  } catch (const std::exception&) {
    return std::unexpected(refusal_response(*core.options, kFailed, request.path));
  }
}

}  // namespace

IncomingRequest::IncomingRequest(const ServerCore& core, const Peer& peer) : charge(core.body_bytes) {
  request.peer = peer;
  request.id = random_id();
}

void refuse(const ServerCore& core, const Refusal& refusal, IncomingRequest& incoming) {
  incoming.ready = refusal_response(*core.options, refusal, incoming.request.path);
  incoming.keep_alive = false;
}

void admit(const ServerCore& core, RequestParser& parser, IncomingRequest& incoming) {
  ServerRequest& request = incoming.request;
  const RequestHead& head = parser.head();
  request.method = head.method;
  request.headers = head.headers;
  incoming.is_http_1_0 = head.is_http_1_0;
  incoming.keep_alive = head.keep_alive && !head.has_body;  // until the body is read
  request.peer = core.options->trusted_proxies.client_of(request.peer, request.headers);
  if (const auto id = request.header("x-request-id"); id && is_request_id(*id)) request.id = *id;

  auto target = decode_target(head.target);
  if (!target) return refuse(core, target.error(), incoming);
  request.path = std::move(target->path);
  request.queries = std::move(target->queries);
  Router::Match match = core.router.find(request.method, request.path);
  if (match.route != nullptr) request.route = match.route->pattern;
  request.params = std::move(match.params);

  auto verdict = ask_guard(core, request, match.route);
  if (!verdict) {
    incoming.ready = std::move(verdict).error();
    return;
  }
  incoming.more_headers = std::move(verdict->headers);
  request.ticket = std::move(verdict->ticket);
  if (request.path == "*" && request.method == "OPTIONS") match.allow = "GET, HEAD, OPTIONS";
  if (match.allow.empty()) {
    incoming.ready = refusal_response(*core.options, kNoPath, request.path);
  } else if (match.route == nullptr) {
    incoming.ready = allow_response(core, request, match.allow);
  } else if (const auto fits = parser.limit_body(
                 match.route->options.most_body_bytes.value_or(core.options->limits.most_body_bytes));
             !fits) {
    refuse(core, fits.error(), incoming);
  } else {
    incoming.route = match.route;
  }
}

ResponseSettings response_settings(const ServerCore& core, const IncomingRequest& incoming) {
  return {.is_head = incoming.request.method == "HEAD",
          .is_http_1_0 = incoming.is_http_1_0,
          .keep_alive = incoming.keep_alive,
          .most_unsent_bytes = core.options->limits.most_unsent_bytes,
          .request_id = incoming.request.id,
          .more_headers = incoming.more_headers,
          .ticket = incoming.request.ticket,
          .failure = [options = core.options, path = incoming.request.path] {
            return refusal_response(*options, kFailed, path);
          }};
}

}  // namespace carat::http
