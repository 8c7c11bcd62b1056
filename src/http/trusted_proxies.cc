#include "http/trusted_proxies.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <optional>
#include <string_view>

namespace carat::http {
namespace {

namespace ip = boost::asio::ip;
using Bytes = std::array<std::uint8_t, 16>;

constexpr unsigned kMappedBits = 96;  // of an IPv6 address, before the IPv4 address that it holds
constexpr unsigned kAddressBits = 128;

std::optional<ip::address> parse_address(const std::string& text) {
  boost::system::error_code error;
  const ip::address address = ip::make_address(text, error);
  if (error) return std::nullopt;
  return address;
}

Bytes bytes_of(const ip::address& address) {
  if (address.is_v6()) return address.to_v6().to_bytes();
  return ip::make_address_v6(ip::v4_mapped, address.to_v4()).to_bytes();
}

bool same_bits(const Bytes& a, const Bytes& b, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    const unsigned mask = 0x80U >> i % 8;
    if (((a.at(i / 8) ^ b.at(i / 8)) & mask) != 0) return false;
  }
  return true;
}

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// The items of all headers of that name, in order.
std::vector<std::string> items_of(const std::vector<Header>& headers, std::string_view name) {
  std::vector<std::string> items;
  for (const Header& header : headers) {
    if (!same_name(header.name, name)) continue;
    std::string_view rest = header.value;
    while (true) {
      const std::size_t comma = rest.find(',');
      items.emplace_back(trim(rest.substr(0, comma)));
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return items;
}

// As peer_of() writes it: a mapped address is the IPv4 address that it is.
Peer peer_at(ip::address address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = ip::make_address_v4(ip::v4_mapped, address.to_v6());
  Peer peer;
  peer.address = address.to_string();
  peer.is_loopback = address.is_loopback();
  return peer;
}

}  // namespace

Result<TrustedProxies::Network> TrustedProxies::parse_network(const std::string& name) {
  const std::size_t slash = name.find('/');
  const auto address = parse_address(name.substr(0, slash));
  const auto wrong = [&] {
    return fail(ErrorKind::kUsage,
                "--trusted-proxy: expected an IP address, a network such as 10.0.0.0/8, or unix, found '{}'",
                name);
  };
  if (!address) return wrong();
  const unsigned before = address->is_v4() ? kMappedBits : 0;
  Network network{.address = bytes_of(*address), .bits = kAddressBits};
  if (slash == std::string::npos) return network;
  unsigned bits = 0;
  const char* end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + slash + 1, end, bits);
  if (read.ec != std::errc() || read.ptr != end || bits > kAddressBits - before) return wrong();
  network.bits = before + bits;
  return network;
}

Result<TrustedProxies> TrustedProxies::parse(std::span<const std::string> names) {
  TrustedProxies proxies;
  for (const std::string& name : names) {
    if (name == "unix") {
      proxies.trusts_unix_ = true;
    } else {
      CARAT_TRY(proxies.networks_.emplace_back(), parse_network(name));
    }
  }
  return proxies;
}

bool TrustedProxies::trusts(const std::string& address) const {
  if (address == "unix") return trusts_unix_;
  const auto parsed = parse_address(address);
  if (!parsed) return false;
  const Bytes bytes = bytes_of(*parsed);
  return std::ranges::any_of(
      networks_, [&](const Network& network) { return same_bits(network.address, bytes, network.bits); });
}

Peer TrustedProxies::client_of(const Peer& peer, const std::vector<Header>& headers) const {
  if (!trusts(peer.address)) return peer;
  Peer client = peer;
  std::vector<std::string> chain = items_of(headers, "x-forwarded-for");
  while (!chain.empty() && trusts(client.address)) {
    const auto address = parse_address(chain.back());
    if (!address) break;
    client = peer_at(*address);
    chain.pop_back();
  }
  const std::vector<std::string> schemes = items_of(headers, "x-forwarded-proto");
  client.is_encrypted = schemes.empty() ? peer.is_encrypted : same_name(schemes.back(), "https");
  return client;
}

}  // namespace carat::http
