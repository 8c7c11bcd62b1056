#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/responder.h"
#include "http/router.h"
#include "http/server_request.h"
#include "server/admission.h"
#include "server/api_error.h"
#include "server/key_ring.h"

namespace carat::server {

// What may change while the server runs.
struct AccessRules {
  std::shared_ptr<const KeyRing> file_keys = std::make_shared<const KeyRing>();
  std::shared_ptr<const KeyRing> stored_keys = std::make_shared<const KeyRing>();
  std::vector<std::string> allowed_hosts = {};    // names beside this machine's and IP addresses; "*": any
  std::vector<std::string> allowed_origins = {};  // "https://chat.example"; "*": any
  // Where there are no keys, whoever reaches the server may use it, unless this is set. Once there was a key,
  // one is needed until the process ends: taking the last one away opens nothing.
  bool needs_key = false;
};

struct AccessOptions {
  AccessRules rules = {};
  std::size_t most_requests = 1024;         // let in at a time
  std::int64_t most_requests_of_key = 256;  // of one key without a limit of its own
  Now now = system_moment;
};

// Who may use the server: looks at a request's head before its body is read. Threads may share it.
//   Host            must be an IP address, localhost or an allowed name, so that a page whose name was made
//   to
//                   point here (DNS rebinding) gets nothing
//   Origin          the server's own or an allowed one
//   Sec-Fetch-Site  says that a page of another site asks: refused without an allowed Origin
//   route           must say who may use it
//   key             Authorization: Bearer KEY or x-api-key, with the route's scope; any good key where there
//   is
//                   no route; none on open routes, nor where no keys are needed
//   limits          the server's and the key's; not on open routes
class Access {
 public:
  explicit Access(AccessOptions options);

  // An http::Guard.
  std::expected<http::Pass, http::Response> check(const http::ServerRequest& request,
                                                  const http::Route* route) const;

  // Whom a request that was let in belongs to; empty where no keys are needed.
  static std::string owner_of(const http::ServerRequest& request);

  // Changes the rules for the requests that come from now on. Calls take turns.
  void change(const std::function<void(AccessRules&)>& change);

  std::shared_ptr<const AccessRules> rules() const;

 private:
  // Adds what is left of the key's limits to `headers`.
  ApiResult<std::shared_ptr<Admission>> admit(std::shared_ptr<const KeyHolder> holder,
                                              std::vector<http::Header>& headers) const;

  const std::size_t most_requests_;
  const std::int64_t most_requests_of_key_;
  const Now now_;
  const std::shared_ptr<RequestCount> count_ = std::make_shared<RequestCount>();
  std::mutex changing_;
  mutable std::mutex mutex_;
  std::shared_ptr<const AccessRules> rules_;  // under mutex_
};

// kUsage, with what to do, when others could reach `address` and there are no keys.
Result<> check_address(std::string_view address, bool has_keys);

// Whether only this machine reaches what listens at `address`.
bool is_local_address(std::string_view address);

}  // namespace carat::server
