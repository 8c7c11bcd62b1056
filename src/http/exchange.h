#pragma once

#include <memory>
#include <stop_token>
#include <string_view>

#include "base/result.h"
#include "http/client.h"
#include "http/message.h"
#include "http/url.h"

namespace carat::http {

// Which certificates are believed; made once for all connections.
class TlsContext {
 public:
  TlsContext();
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

 private:
  friend class Exchange;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// How the message of an Error begins where no connection was made.
inline constexpr std::string_view kCannotReach = "cannot reach ";

// One request on one connection, which ends with this object. Redirects are the caller's. Errors are those of
// Client::send.
class Exchange {
 public:
  // The options and the context must outlive this object.
  Exchange(const ClientOptions& options, const TlsContext& tls, const std::stop_token& stop);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Connects, by way of a proxy where there is one for `url`, sends `request` to `url` (not to request.url)
  // and reads the head of the response.
  Result<ResponseHead> begin(const Request& request, const Url& url);

  // The rest of it, into sink.write().
  Result<> read_body(BodySink& sink);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carat::http
