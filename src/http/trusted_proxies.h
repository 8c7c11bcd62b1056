#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/message.h"
#include "http/server_request.h"

namespace carat::http {

// Proxies in front of the server that are believed when they say for whom they ask: X-Forwarded-For and
// X-Forwarded-Proto. From anybody else these headers mean nothing.
class TrustedProxies {
 public:
  TrustedProxies() = default;  // none

  // Each of `names` is an IP address, a network ("10.0.0.0/8", "fd00::/8"), or "unix": whoever connects to a
  // unix-domain socket. kUsage for anything else.
  static Result<TrustedProxies> parse(std::span<const std::string> names);

  // Who asks, if `peer` sent these headers. Of the addresses in X-Forwarded-For, to which every proxy adds
  // the one that it saw, the last that is no trusted proxy's: what stands before it is whatever the client
  // made up. What is no address ends the search at the proxy that passed it on.
  Peer client_of(const Peer& peer, const std::vector<Header>& headers) const;

 private:
  // IPv4 addresses are the mapped ones of IPv6.
  struct Network {
    std::array<std::uint8_t, 16> address = {};
    unsigned bits = 0;
  };

  static Result<Network> parse_network(const std::string& name);
  bool trusts(const std::string& address) const;

  std::vector<Network> networks_;
  bool trusts_unix_ = false;
};

}  // namespace carat::http
