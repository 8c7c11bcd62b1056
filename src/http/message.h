#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace carat::http {

struct Header {
  std::string name;
  std::string value;
};

bool same_name(std::string_view a, std::string_view b);  // header names in whatever case

// The value of the first header of that name, in whatever case.
std::optional<std::string_view> find_header(const std::vector<Header>& headers, std::string_view name);

enum class Method { kGet, kHead };

struct Request {
  Method method = Method::kGet;
  std::string url;
  std::vector<Header> headers = {};
};

// What comes before a body.
struct ResponseHead {
  unsigned status = 0;
  std::vector<Header> headers;
  std::string url;  // where it came from, after redirects

  std::optional<std::string_view> find(std::string_view name) const { return find_header(headers, name); }
};

// Where a body goes, in order. An error from either function ends the request and is its result.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // Once, after redirects were followed: whether the body is wanted.
  virtual Result<> begin(const ResponseHead& head) = 0;
  virtual Result<> write(std::span<const std::byte> bytes) = 0;
};

}  // namespace carat::http
