#include "http/proxy.h"

#include <openssl/evp.h>

#include <algorithm>
#include <string_view>

namespace carat::http {
namespace {

std::string base64(std::string_view text) {
  std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');  // a zero byte is written after the text
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::optional<std::string> first_of(const Lookup& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    auto value = environment(name);
    if (value && !value->empty()) return value;
  }
  return std::nullopt;
}

// "http://user:password@host:port/", with or without the scheme and the user.
Result<std::optional<Proxy>> parse_proxy(const std::optional<std::string>& text, std::string_view variable) {
  if (!text) return std::nullopt;
  std::string_view rest = *text;
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  Proxy proxy;
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    proxy.authorization = fmt::format("Basic {}", base64(rest.substr(0, at)));
    rest.remove_prefix(at + 1);
  }
  const auto url = Url::parse(fmt::format("http://{}", rest));
  if (rest.find("://") != std::string_view::npos || !url) {
    // Not the value itself, which may hold a password.
    return fail(ErrorKind::kUsage, "{}: expected the address of a proxy, such as http://proxy:3128",
                variable);
  }
  proxy.host = url->host;
  proxy.port = url->port;
  return proxy;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '.')) text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

Result<ProxySettings> ProxySettings::from_environment(const Lookup& environment) {
  ProxySettings settings;
  CARAT_TRY(settings.http_,
            parse_proxy(first_of(environment, {"http_proxy", "all_proxy", "ALL_PROXY"}), "http_proxy"));
  CARAT_TRY(settings.https_,
            parse_proxy(first_of(environment, {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}),
                        "https_proxy"));
  settings.no_proxy_ = first_of(environment, {"no_proxy", "NO_PROXY"}).value_or("");
  return settings;
}

std::optional<Proxy> ProxySettings::proxy_for(const Url& url) const {
  return is_excluded(url) ? std::nullopt : url.tls ? https_ : http_;
}

bool ProxySettings::is_excluded(const Url& url) const {
  std::string_view rest = no_proxy_;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view name = trimmed(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (name.empty()) continue;
    if (name == "*" || url.host == name) return true;
    if (url.host.ends_with(fmt::format(".{}", name))) return true;
  }
  return false;
}

}  // namespace carat::http
