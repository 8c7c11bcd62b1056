#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "base/result.h"
#include "http/server_options.h"

namespace carat::http {

// A server's TLS: 1.2 or newer, its certificate chain and key. kUsage that names the file that is missing, is
// no PEM, or does not go with the other.
Result<std::unique_ptr<boost::asio::ssl::context>> load_tls(const TlsFiles& files);

}  // namespace carat::http
