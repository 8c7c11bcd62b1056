#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace carat::http {

// An http or https address. Made by parse() and resolve() alone, so that no part of it can break a request
// line or a header apart.
struct Url {
  bool tls = false;
  std::string host;  // lower case; an IPv6 address without its brackets
  std::uint16_t port = 80;
  std::string target = "/";  // path and query, never empty

  // kUsage for another scheme, user names, control characters, spaces or more than 8 KiB.
  static Result<Url> parse(std::string_view text);

  // What a Location header means when it comes from this address: a whole address, "//host/path", "/path" or
  // a name beside this one.
  Result<Url> resolve(std::string_view location) const;

  std::string authority() const;  // "host" or "host:port", as a Host header has it
  std::string text() const;
  std::string without_query() const;  // for messages: a query may hold a signature

  bool same_origin(const Url& other) const {
    return tls == other.tls && host == other.host && port == other.port;
  }
  bool is_loopback() const;  // localhost, 127.0.0.0/8 or ::1
};

// Percent-encodes everything but letters, digits and "-._~/".
std::string encode_path(std::string_view path);

}  // namespace carat::http
