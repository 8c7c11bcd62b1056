#include "http/request_target.h"

#include <algorithm>
#include <optional>

#include "base/utf8.h"

namespace carat::http {
namespace {

constexpr Refusal kBadPath{400, "the path is malformed"};
constexpr Refusal kBadQuery{400, "the query is malformed"};

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

// nullopt for a malformed escape, a control character, or what is no UTF-8 after decoding.
std::optional<std::string> decode_percent(std::string_view text, bool plus_is_space) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const auto high = hex_digit(text[i + 1]);
      const auto low = hex_digit(text[i + 2]);
      if (!high || !low) return std::nullopt;
      c = static_cast<char>(*high * 16 + *low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (is_control(c)) return std::nullopt;
    decoded += c;
  }
  if (!is_valid_utf8(decoded)) return std::nullopt;
  return decoded;
}

// Appends "/segment" for each segment. False for what no path of ours may hold.
bool decode_path(std::string_view text, std::string& path) {
  while (!text.empty()) {
    text.remove_prefix(1);  // '/'
    const std::size_t end = std::min(text.find('/'), text.size());
    const auto segment = decode_percent(text.substr(0, end), /*plus_is_space=*/false);
    if (!segment || *segment == "." || *segment == ".." || segment->find('/') != std::string::npos) {
      return false;
    }
    path += '/';
    path += *segment;
    text.remove_prefix(end);
  }
  return true;
}

bool decode_queries(std::string_view text, NamedValues& queries) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (item.empty()) continue;
    const std::size_t equals = std::min(item.find('='), item.size());
    auto name = decode_percent(item.substr(0, equals), /*plus_is_space=*/true);
    auto value = decode_percent(item.substr(std::min(equals + 1, item.size())), /*plus_is_space=*/true);
    if (!name || !value) return false;
    queries.emplace_back(std::move(*name), std::move(*value));
  }
  return true;
}

}  // namespace

std::expected<RequestTarget, Refusal> decode_target(std::string_view target) {
  if (target == "*") return RequestTarget{"*", {}};
  if (!target.starts_with('/') || target.find('#') != std::string_view::npos) {
    return std::unexpected(kBadPath);
  }
  RequestTarget decoded;
  const std::size_t mark = std::min(target.find('?'), target.size());
  if (!decode_path(target.substr(0, mark), decoded.path)) return std::unexpected(kBadPath);
  const std::string_view query = target.substr(std::min(mark + 1, target.size()));
  if (!decode_queries(query, decoded.queries)) return std::unexpected(kBadQuery);
  return decoded;
}

}  // namespace carat::http
