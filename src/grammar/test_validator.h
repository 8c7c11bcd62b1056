#pragma once

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <regex>
#include <string>

#include "base/utf8.h"

namespace carat::grammar {

// Whether a value satisfies a schema, by the words of JSON Schema 2020-12: the oracle of the tests, as dull
// as it can be, and itself held to the verdicts of the public test suite. Knows the keywords that Carat
// admits.
class TestValidator {
 public:
  explicit TestValidator(const boost::json::value& schema) : root_(schema) {}
  bool is_valid(const boost::json::value& value) const { return holds(root_, value); }

 private:
  using Value = boost::json::value;
  using Object = boost::json::object;

  static bool is_type(const Value& value, std::string_view type) {
    if (type == "integer") return value.is_number() && std::trunc(number(value)) == number(value);
    if (type == "number") return value.is_number();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_bool();
    if (type == "null") return value.is_null();
    return type == "array" ? value.is_array() : value.is_object();
  }
  static double number(const Value& value) { return value.to_number<double>(); }
  static bool equal(const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) return number(a) == number(b);
    if (a.is_array() && b.is_array()) {
      if (a.get_array().size() != b.get_array().size()) return false;
      for (std::size_t i = 0; i < a.get_array().size(); ++i) {
        if (!equal(a.get_array()[i], b.get_array()[i])) return false;
      }
      return true;
    }
    if (a.is_object() && b.is_object()) {
      if (a.get_object().size() != b.get_object().size()) return false;
      for (const auto& member : a.get_object()) {
        const Value* other = b.get_object().if_contains(member.key());
        if (other == nullptr || !equal(member.value(), *other)) return false;
      }
      return true;
    }
    return a == b;
  }
  static std::size_t characters(std::string_view text) {
    std::size_t count = 0;
    for (; !text.empty(); ++count) text.remove_prefix(first_utf8_unit(text).length);
    return count;
  }
  static bool found(const Value& pattern, std::string_view text) {
    return std::regex_search(std::string(text), std::regex(std::string(pattern.get_string())));
  }

  bool holds(const Value& schema, const Value& value) const {
    if (schema.is_bool()) return schema.get_bool();
    const Object& s = schema.get_object();
    const auto find = [&](std::string_view name) { return s.if_contains(name); };
    if (const Value* ref = find("$ref"); ref != nullptr && !holds(resolve(*ref), value)) return false;
    if (const Value* types = find("type")) {
      bool any = types->is_string() && is_type(value, types->get_string());
      if (types->is_array()) {
        for (const Value& type : types->get_array()) any = any || is_type(value, type.get_string());
      }
      if (!any) return false;
    }
    if (const Value* one = find("const"); one != nullptr && !equal(*one, value)) return false;
    if (const Value* list = find("enum")) {
      bool any = false;
      for (const Value& one : list->get_array()) any = any || equal(one, value);
      if (!any) return false;
    }
    if (const Value* list = find("anyOf"); list != nullptr && count(*list, value) == 0) return false;
    if (const Value* list = find("oneOf"); list != nullptr && count(*list, value) != 1) return false;
    if (const Value* list = find("allOf");
        list != nullptr && count(*list, value) != list->get_array().size()) {
      return false;
    }
    if (value.is_number()) return number_holds(s, number(value));
    if (value.is_string()) return string_holds(s, value.get_string());
    if (value.is_array()) return array_holds(s, value.get_array());
    return !value.is_object() || object_holds(s, value.get_object());
  }

  std::size_t count(const Value& list, const Value& value) const {
    std::size_t valid = 0;
    for (const Value& one : list.get_array()) valid += holds(one, value) ? 1 : 0;
    return valid;
  }

  static bool number_holds(const Object& s, double value) {
    const auto bound = [&](std::string_view name, auto keeps) {
      const Value* given = s.if_contains(name);
      return given == nullptr || keeps(number(*given));
    };
    return bound("minimum", [&](double b) { return value >= b; }) &&
           bound("maximum", [&](double b) { return value <= b; }) &&
           bound("exclusiveMinimum", [&](double b) { return value > b; }) &&
           bound("exclusiveMaximum", [&](double b) { return value < b; });
  }
  static bool size_holds(const Object& s, std::string_view least, std::string_view most, std::size_t size) {
    const Value* low = s.if_contains(least);
    const Value* high = s.if_contains(most);
    return (low == nullptr || static_cast<double>(size) >= number(*low)) &&
           (high == nullptr || static_cast<double>(size) <= number(*high));
  }
  static bool string_holds(const Object& s, std::string_view text) {
    const Value* pattern = s.if_contains("pattern");
    return size_holds(s, "minLength", "maxLength", characters(text)) &&
           (pattern == nullptr || found(*pattern, text));
  }
  bool array_holds(const Object& s, const boost::json::array& array) const {
    const Value* prefix = s.if_contains("prefixItems");
    const Value* items = s.if_contains("items");
    const std::size_t known = prefix != nullptr ? prefix->get_array().size() : 0;
    for (std::size_t i = 0; i < array.size(); ++i) {
      if (i < known && !holds(prefix->get_array()[i], array[i])) return false;
      if (i >= known && items != nullptr && !holds(*items, array[i])) return false;
    }
    return size_holds(s, "minItems", "maxItems", array.size());
  }
  bool object_holds(const Object& s, const Object& object) const {
    const Value* properties = s.if_contains("properties");
    const Value* patterns = s.if_contains("patternProperties");
    const Value* additional = s.if_contains("additionalProperties");
    for (const auto& member : object) {
      bool known = false;
      if (const Value* one =
              properties != nullptr ? properties->get_object().if_contains(member.key()) : nullptr) {
        known = true;
        if (!holds(*one, member.value())) return false;
      }
      for (const auto& pattern : patterns != nullptr ? patterns->get_object() : Object()) {
        if (!found(Value(pattern.key()), member.key())) continue;
        known = true;
        if (!holds(pattern.value(), member.value())) return false;
      }
      if (!known && additional != nullptr && !holds(*additional, member.value())) return false;
    }
    if (const Value* required = s.if_contains("required")) {
      for (const Value& name : required->get_array()) {
        if (!object.contains(name.get_string())) return false;
      }
    }
    return size_holds(s, "minProperties", "maxProperties", object.size());
  }

  const Value& resolve(const Value& reference) const {
    const std::string pointer = std::string(reference.get_string()).substr(1);
    std::string plain;  // the suite's percent escapes are those of %25 and %22
    for (std::size_t i = 0; i < pointer.size(); ++i) {
      if (pointer[i] != '%') {
        plain += pointer[i];
        continue;
      }
      plain += static_cast<char>(std::stoi(pointer.substr(i + 1, 2), nullptr, 16));
      i += 2;
    }
    return root_.at_pointer(plain);
  }

  const Value& root_;
};

}  // namespace carat::grammar
