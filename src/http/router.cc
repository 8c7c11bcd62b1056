#include "http/router.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace carat::http {
namespace {

// Takes the next segment off a path or pattern that begins with '/'.
std::string_view next_segment(std::string_view& text) {
  text.remove_prefix(1);
  const std::string_view segment = text.substr(0, text.find('/'));
  text.remove_prefix(segment.size());
  return segment;
}

bool is_named(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }
bool is_rest(std::string_view segment) { return is_named(segment) && segment.ends_with("...}"); }

std::string_view name_of(std::string_view segment) {
  return segment.substr(1, segment.size() - (is_rest(segment) ? 5 : 2));
}

// How well a pattern fits: one letter a segment, the smaller text goes before. 'a' fixed, 'b' named, 'c' the
// rest.
struct Fit {
  std::string rank;
  NamedValues params;
};

std::optional<Fit> fit(std::string_view pattern, std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  Fit result;
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = next_segment(pattern);
    if (is_rest(wanted)) {
      if (path.size() < 2) return std::nullopt;
      result.rank += 'c';
      result.params.emplace_back(name_of(wanted), path.substr(1));
      return result;
    }
    const std::string_view found = next_segment(path);
    if (is_named(wanted)) {
      if (found.empty()) return std::nullopt;
      result.rank += 'b';
      result.params.emplace_back(name_of(wanted), found);
    } else {
      if (found != wanted) return std::nullopt;
      result.rank += 'a';
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return result;
}

bool is_well_formed(std::string_view pattern) {
  if (!pattern.starts_with('/')) return false;
  while (!pattern.empty()) {
    const std::string_view segment = next_segment(pattern);
    if (is_named(segment) ? name_of(segment).empty()
                          : segment.find_first_of("{}") != std::string_view::npos) {
      return false;
    }
    if (is_rest(segment) && !pattern.empty()) return false;
  }
  return true;
}

}  // namespace

void Router::add(std::string_view method, std::string_view pattern, Handler handler, RouteOptions options) {
  CARAT_CHECK(!method.empty() && is_well_formed(pattern) && handler != nullptr);
  for (const auto& route : routes_) CARAT_CHECK(route->method != method || route->pattern != pattern);
  routes_.push_back(
      std::make_unique<Route>(Route{std::string(method), std::string(pattern), std::move(handler), options}));
}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  std::optional<Fit> best;
  std::string_view pattern;
  for (const auto& route : routes_) {
    auto candidate = fit(route->pattern, path);
    if (!candidate || (best && best->rank <= candidate->rank)) continue;
    best = std::move(candidate);
    pattern = route->pattern;
  }
  Match match;
  if (!best) return match;

  const auto of_method = [&](std::string_view wanted) -> const Route* {
    const auto found = std::ranges::find_if(
        routes_, [&](const auto& route) { return route->pattern == pattern && route->method == wanted; });
    return found == routes_.end() ? nullptr : found->get();
  };
  const bool adds_head = of_method("GET") != nullptr && of_method("HEAD") == nullptr;
  for (const auto& route : routes_) {
    if (route->pattern != pattern) continue;
    match.allow += route->method + ", ";
    if (adds_head && route->method == "GET") match.allow += "HEAD, ";
  }
  if (of_method("OPTIONS") == nullptr) match.allow += "OPTIONS, ";
  match.allow.resize(match.allow.size() - 2);
  match.route = of_method(method);
  if (match.route == nullptr && method == "HEAD") match.route = of_method("GET");
  match.params = std::move(best->params);
  return match;
}

}  // namespace carat::http
