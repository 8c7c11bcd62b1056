#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "http/url.h"

namespace carat::http {

// The value of an environment variable; nullopt when it is not set.
using Lookup = std::function<std::optional<std::string>(const char* name)>;

// A proxy that speaks plain HTTP, CONNECT included.
struct Proxy {
  std::string host;
  std::uint16_t port = 0;
  std::string authorization;  // value of Proxy-Authorization; empty: none
};

// Which proxy to take for which address, by the variables that curl reads: https_proxy, http_proxy (in lower
// case alone, since a web server sets HTTP_PROXY from a request), all_proxy and no_proxy.
class ProxySettings {
 public:
  ProxySettings() = default;  // no proxy at all

  // kUsage for a proxy that is no http:// address.
  static Result<ProxySettings> from_environment(const Lookup& environment);

  // nullopt: connect directly.
  std::optional<Proxy> proxy_for(const Url& url) const;

 private:
  bool is_excluded(const Url& url) const;

  std::optional<Proxy> http_;
  std::optional<Proxy> https_;
  std::string no_proxy_;
};

}  // namespace carat::http
