#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "http/refusal.h"
#include "http/server_request.h"

namespace carat::http {

// What a request line asks for.
struct RequestTarget {
  std::string path;  // decoded; "*" for OPTIONS *
  NamedValues queries;
};

// Decodes "/path?query". Strict, since two readings of one path are how checks are passed by: 400 for a
// target that does not begin with '/', a percent sign without two hex digits, an encoded '/', NUL or other
// control character, text that is not UTF-8, and "." or ".." as a segment, however they are written.
std::expected<RequestTarget, Refusal> decode_target(std::string_view target);

}  // namespace carat::http
