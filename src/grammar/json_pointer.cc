#include "grammar/json_pointer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace carat::grammar {
namespace {

constexpr std::array<std::string_view, 7> kTypes = {"null",   "boolean", "integer", "number",
                                                    "string", "array",   "object"};

struct TypeOfKeyword {
  std::string_view keyword;
  std::string_view type;
};
constexpr TypeOfKeyword kTypesOfKeywords[] = {
    {"properties", "object"},
    {"required", "object"},
    {"additionalProperties", "object"},
    {"patternProperties", "object"},
    {"minProperties", "object"},
    {"maxProperties", "object"},
    {"items", "array"},
    {"prefixItems", "array"},
    {"minItems", "array"},
    {"maxItems", "array"},
    {"minLength", "string"},
    {"maxLength", "string"},
    {"pattern", "string"},
    {"format", "string"},
    {"minimum", "number"},
    {"maximum", "number"},
    {"exclusiveMinimum", "number"},
    {"exclusiveMaximum", "number"},
};

std::string unescape_name(std::string_view token) {
  std::string name;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escape = token[i] == '~' && i + 1 < token.size();
    if (escape && token[i + 1] == '0')
      name += '~', ++i;
    else if (escape && token[i + 1] == '1')
      name += '/', ++i;
    else
      name += token[i];
  }
  return name;
}

const boost::json::value* find_child(const boost::json::value& value, const std::string& name) {
  if (value.is_object()) return value.get_object().if_contains(name);
  if (!value.is_array()) return nullptr;
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  const bool is_index = error == std::errc() && end == name.data() + name.size();
  return is_index ? value.get_array().if_contains(index) : nullptr;
}

}  // namespace

std::string child(const std::string& pointer, std::string_view name) {
  std::string out = pointer + "/";
  for (const char c : name) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

std::optional<std::string> unescape_fragment(std::string_view fragment) {
  std::string out;
  for (std::size_t i = 0; i < fragment.size(); ++i) {
    if (fragment[i] != '%') {
      out += fragment[i];
      continue;
    }
    unsigned value = 0;
    const std::string_view digits = fragment.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

const boost::json::value* find_pointer(const boost::json::value& document, std::string_view pointer) {
  const boost::json::value* value = &document;
  while (!pointer.empty() && value != nullptr) {
    if (pointer[0] != '/') return nullptr;
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    value = find_child(*value, unescape_name(pointer.substr(0, end)));
    pointer.remove_prefix(end);
  }
  return value;
}

bool is_type_name(std::string_view name) { return std::ranges::find(kTypes, name) != kTypes.end(); }

bool has_type(const boost::json::value& value, std::string_view type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_bool();
  if (type == "integer") {
    return value.is_int64() || value.is_uint64() ||
           (value.is_double() && std::trunc(value.get_double()) == value.get_double());
  }
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  return value.is_object();
}

std::vector<std::string> types_meant(const boost::json::object& schema) {
  std::vector<std::string> types;
  for (const TypeOfKeyword& entry : kTypesOfKeywords) {
    const bool known = std::ranges::find(types, entry.type) != types.end();
    if (schema.contains(entry.keyword) && !known) types.emplace_back(entry.type);
  }
  return types;
}

}  // namespace carat::grammar
