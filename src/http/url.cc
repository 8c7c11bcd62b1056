#include "http/url.h"

#include <algorithm>
#include <charconv>

namespace carat::http {
namespace {

constexpr std::size_t kMostBytes = 8192;
constexpr std::size_t kMostHostBytes = 253;  // of a name in the DNS
constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_host_character(char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; }
bool is_address_character(char c) { return is_alphanumeric(c) || c == ':' || c == '.'; }

// Removes `prefix`, whatever its case.
bool skip(std::string_view& text, std::string_view prefix) {
  const bool found = text.size() >= prefix.size() &&
                     std::ranges::equal(text.substr(0, prefix.size()), prefix, {}, to_lower, to_lower);
  if (found) text.remove_prefix(prefix.size());
  return found;
}

// Says nothing of a query or a user's name, which may hold a password.
std::unexpected<Error> invalid(std::string_view text, std::string_view expected) {
  std::string_view shown = text.substr(0, text.find('?'));
  const std::size_t at = shown.rfind('@');
  if (at != std::string_view::npos) shown.remove_prefix(at);
  return fail(ErrorKind::kUsage, "'{}{}' is no address that can be used: expected {}",
              at == std::string_view::npos ? "" : "...", shown, expected);
}

// "host", "host:port", "[address]" or "[address]:port" into url.
bool parse_authority(std::string_view authority, Url& url) {
  std::string_view port;
  const bool bracketed = authority.starts_with('[');
  const std::size_t host_end = bracketed ? authority.find(']') : authority.find(':');
  if (bracketed && host_end == std::string_view::npos) return false;
  std::string_view host = authority.substr(0, host_end);
  if (bracketed) host.remove_prefix(1);
  const std::size_t after = bracketed ? host_end + 1 : std::min(host_end, authority.size());
  port = authority.substr(after);
  if (host.empty() || host.size() > kMostHostBytes) return false;
  if (!std::ranges::all_of(host, bracketed ? is_address_character : is_host_character)) return false;
  url.host.resize(host.size());
  std::ranges::transform(host, url.host.begin(), to_lower);
  if (port.empty()) return true;
  const char* const end = port.data() + port.size();
  const auto [stopped, error] = std::from_chars(port.data() + 1, end, url.port);
  return port.front() == ':' && error == std::errc() && stopped == end && url.port != 0;
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  if (text.size() > kMostBytes) return invalid(text.substr(0, 64), "at most 8 KiB");
  const bool printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  if (!printable) return invalid("(it holds spaces or control characters)", "printable ASCII");
  Url url;
  std::string_view rest = text;
  if (skip(rest, "https://")) {
    url.tls = true;
    url.port = kHttpsPort;
  } else if (!skip(rest, "http://")) {
    return invalid(text, "http://... or https://...");
  }
  rest = rest.substr(0, rest.find('#'));
  const std::size_t path = std::min(rest.find_first_of("/?"), rest.size());
  if (!parse_authority(rest.substr(0, path), url)) return invalid(text, "a host and perhaps a port");
  const std::string_view target = rest.substr(path);
  url.target = fmt::format("{}{}", target.starts_with('/') ? "" : "/", target);
  return url;
}

Result<Url> Url::resolve(std::string_view location) const {
  std::string_view rest = location;
  if (skip(rest, "http://") || skip(rest, "https://")) return parse(location);
  if (location.starts_with("//")) return parse(fmt::format("{}{}", tls ? "https:" : "http:", location));
  const std::string origin = fmt::format("{}{}", tls ? "https://" : "http://", authority());
  if (location.starts_with('/')) return parse(fmt::format("{}{}", origin, location));
  if (location.find(':') < location.find_first_of("/?#")) {
    return invalid(location, "http://... or https://...");
  }
  const std::string_view path = std::string_view(target).substr(0, target.find('?'));
  return parse(fmt::format("{}{}{}", origin, path.substr(0, path.rfind('/') + 1), location));
}

std::string Url::authority() const {
  const bool is_address = host.find(':') != std::string::npos;
  const std::string name = is_address ? fmt::format("[{}]", host) : host;
  return port == (tls ? kHttpsPort : kHttpPort) ? name : fmt::format("{}:{}", name, port);
}

std::string Url::text() const {
  return fmt::format("{}{}{}", tls ? "https://" : "http://", authority(), target);
}

std::string Url::without_query() const {
  const std::string all = text();
  return all.substr(0, all.find('?'));
}

bool Url::is_loopback() const {
  const bool in_127 = host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
  return in_127 || host == "localhost" || host == "::1";
}

std::string encode_path(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool plain = is_alphanumeric(c) || std::string_view("-._~/").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace carat::http
