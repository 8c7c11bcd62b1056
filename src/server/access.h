#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/responder.h"
#include "http/server_request.h"
#include "server/api_error.h"

namespace carat::server {

// Which API keys there are.
class KeyRing {
 public:
  virtual ~KeyRing() = default;

  // Whom a key belongs to: a name that says nothing of the key. nullopt: it is none of ours. Takes the same
  // time for every key that is not.
  virtual std::optional<std::string> owner_of(std::string_view key) const = 0;
};

// The keys of a text: one a line, either itself (16 characters or more) or as "sha256:" and the 64 digits of
// its hash; empty lines and lines that begin with # are passed over. kUsage, naming the line, for anything
// else and where there is no key. `source` begins the messages.
Result<std::unique_ptr<KeyRing>> parse_key_file(const std::string& source, std::string_view text);

struct AccessOptions {
  std::shared_ptr<const KeyRing> keys = nullptr;  // null: whoever reaches the server may use it
  std::vector<std::string> allowed_hosts = {};    // names beside this machine's and IP addresses; "*": any
  std::vector<std::string> allowed_origins = {};  // "https://chat.example"; "*": any
};

// Who may use the server: looks at a request's head before its body is read. Pure.
//   Host            must be an IP address, localhost or an allowed name, so that a page whose name was made
//   to
//                   point here (DNS rebinding) gets nothing
//   Origin          the server's own or an allowed one
//   Sec-Fetch-Site  says that a page of another site asks: refused without an allowed Origin
//   key             Authorization: Bearer KEY or x-api-key, on every route but health; none where there are
//   no keys
class Access {
 public:
  explicit Access(AccessOptions options) : options_(std::move(options)) {}

  // An http::Guard: headers to add to whatever answer follows, or the answer.
  std::expected<std::vector<http::Header>, http::Response> check(const http::ServerRequest& request) const;

  // Whom a request that was let in belongs to; empty where there are no keys.
  std::string owner_of(const http::ServerRequest& request) const;

 private:
  ApiResult<> check_host(const http::ServerRequest& request) const;
  ApiResult<> check_origin(const http::ServerRequest& request) const;
  ApiResult<> check_key(const http::ServerRequest& request) const;
  bool is_allowed_origin(std::string_view origin) const;

  AccessOptions options_;
};

// kUsage, with what to do, when others could reach `address` and there are no keys.
Result<> check_address(std::string_view address, bool has_keys);

}  // namespace carat::server
