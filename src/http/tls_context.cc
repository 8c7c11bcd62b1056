#include "http/tls_context.h"

#include <openssl/ssl.h>

#include <filesystem>

namespace carat::http {
namespace {

namespace ssl = boost::asio::ssl;

Result<> check_file(const std::string& path, std::string_view what) {
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) return {};
  return fail(ErrorKind::kUsage, "{}: there is no such file for the TLS {}", path, what);
}

}  // namespace

Result<std::unique_ptr<ssl::context>> load_tls(const TlsFiles& files) {
  CARAT_TRY_VOID(check_file(files.certificate, "certificate"));
  CARAT_TRY_VOID(check_file(files.key, "key"));
  auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // A key with a passphrase is refused rather than asked for on a terminal that a server may not have.
  context->set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); });
  boost::system::error_code error;
  context->use_certificate_chain_file(files.certificate, error);
  if (error) {
    return fail(ErrorKind::kUsage, "{}: this is no PEM certificate chain: {}", files.certificate,
                error.message());
  }
  context->use_private_key_file(files.key, ssl::context::pem, error);
  if (error || SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return fail(ErrorKind::kUsage,
                "{}: this is no PEM key without passphrase that belongs to the certificate in {}", files.key,
                files.certificate);
  }
  return context;
}

}  // namespace carat::http
