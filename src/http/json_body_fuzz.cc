// Any text as a JSON body: what is accepted keeps to the limits, and comes back the same after it was written
// out.
#include <boost/json/serialize.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
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
  const std::string written = boost::json::serialize(*value);
  const auto again = http::parse_json_body(written, limits);
  CARAT_CHECK(again.has_value());
  CARAT_CHECK(boost::json::serialize(*again) == written);
  return 0;
}
