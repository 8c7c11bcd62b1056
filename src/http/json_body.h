#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace carat::http {

struct JsonLimits {
  std::size_t most_depth = 64;          // of arrays and objects
  std::size_t most_values = 1'000'000;  // in all: a value takes more memory than its text
  std::size_t most_members = 65'536;    // of one object
};

// A request's body as JSON (RFC 8259), strictly: valid UTF-8, no key twice in one object, numbers that are
// finite, no text after the value. kUsage with a message that says where ("messages[3].content: ...") and
// never repeats more than a key of what was sent. The size of `text` is the server's to limit.
Result<boost::json::value> parse_json_body(std::string_view text, const JsonLimits& limits = {});

}  // namespace carat::http
