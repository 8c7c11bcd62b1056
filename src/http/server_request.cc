#include "http/server_request.h"

#include <algorithm>

namespace carat::http {
namespace {

std::optional<std::string_view> find_value(const NamedValues& values, std::string_view name) {
  const auto found = std::ranges::find(values, name, &NamedValues::value_type::first);
  if (found == values.end()) return std::nullopt;
  return found->second;
}

}  // namespace

std::optional<std::string_view> ServerRequest::param(std::string_view name) const {
  return find_value(params, name);
}

std::optional<std::string_view> ServerRequest::query(std::string_view name) const {
  return find_value(queries, name);
}

bool ServerRequest::has_media_type(std::string_view type) const {
  std::string_view value = header("content-type").value_or("");
  value = value.substr(0, value.find(';'));
  while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
  return same_name(value, type);
}

}  // namespace carat::http
