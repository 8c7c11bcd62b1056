// Any text as a JSON body: what is accepted is what Boost's own parser, which refuses less, makes of it.
#include <boost/json/parse.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "http/json_body.h"

using namespace carat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const http::JsonLimits limits{.most_depth = 8, .most_values = 100, .most_members = 10};
  const auto value = http::parse_json_body(text, limits);
  if (!value) {
    CARAT_CHECK(value.error().kind == ErrorKind::kUsage);
    CARAT_CHECK(is_valid_utf8(value.error().message));
    return 0;
  }
  CARAT_CHECK(is_valid_utf8(text));
  CARAT_CHECK(*value == boost::json::parse(text));
  return 0;
}
