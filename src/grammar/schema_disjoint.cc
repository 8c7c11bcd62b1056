// oneOf: which alternatives can be shown never to match the same value.
#include <boost/json/serialize.hpp>

#include <algorithm>

#include "grammar/json_pointer.h"
#include "grammar/schema_reader.h"

namespace carat::grammar {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

constexpr std::size_t kMostReferences = 16;

bool share_a_value(const array& a, const array& b) {
  return std::ranges::any_of(a, [&](const value& one) {
    return std::ranges::any_of(b, [&](const value& other) {
      if (one.is_number() && other.is_number()) return one.to_number<double>() == other.to_number<double>();
      return one == other;
    });
  });
}

bool share_a_type(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  const auto is_number = [](const std::string& type) { return type == "integer" || type == "number"; };
  return std::ranges::any_of(a, [&](const std::string& one) {
    return std::ranges::any_of(
        b, [&](const std::string& other) { return one == other || (is_number(one) && is_number(other)); });
  });
}

bool is_required(const object& schema, std::string_view name) {
  const value* required = schema.if_contains("required");
  return required != nullptr && required->is_array() &&
         std::ranges::any_of(required->get_array(),
                             [&](const value& one) { return one.is_string() && one.get_string() == name; });
}

const object* properties_of(const object& schema) {
  const value* properties = schema.if_contains("properties");
  return properties != nullptr && properties->is_object() ? &properties->get_object() : nullptr;
}

}  // namespace

// The schema behind references; null where that is none.
const boost::json::object* SchemaReader::resolve(const Value& start) const {
  const Value* value = &start;
  for (std::size_t i = 0; i < kMostReferences && value != nullptr && value->is_object(); ++i) {
    const Value* reference = value->get_object().if_contains("$ref");
    if (reference == nullptr) return &value->get_object();
    if (!reference->is_string() || !reference->get_string().starts_with('#')) return nullptr;
    const auto pointer = unescape_fragment(std::string_view(reference->get_string()).substr(1));
    value = pointer ? find_pointer(document_, *pointer) : nullptr;
  }
  return nullptr;
}

// nullopt: not a closed list.
std::optional<boost::json::array> SchemaReader::possible_literals(const Value& value) const {
  const Object* schema = resolve(value);
  if (schema == nullptr) return std::nullopt;
  if (const Value* given = schema->if_contains("const")) return array{*given};
  const Value* list = schema->if_contains("enum");
  return list != nullptr && list->is_array() ? std::optional(list->get_array()) : std::nullopt;
}

// nullopt: any.
std::optional<std::vector<std::string>> SchemaReader::possible_types(const Value& value,
                                                                     std::size_t depth) const {
  const Object* schema = resolve(value);
  if (schema == nullptr || depth > limits_.depth) return std::nullopt;
  std::vector<std::string> types;
  if (const Value* type = schema->if_contains("type")) {
    const array list = type->is_array() ? type->get_array() : array{*type};
    for (const auto& one : list) {
      if (one.is_string()) types.emplace_back(one.get_string());
    }
    return types;
  }
  if (const auto literals = possible_literals(value)) {
    for (const auto& literal : *literals) {
      for (const std::string_view type : {"null", "boolean", "number", "string", "array", "object"}) {
        if (has_type(literal, type)) types.emplace_back(type);
      }
    }
    return types;
  }
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    const Value* options = schema->if_contains(keyword);
    if (options == nullptr || !options->is_array()) continue;
    for (const auto& option : options->get_array()) {
      const auto more = possible_types(option, depth + 1);
      if (!more) return std::nullopt;
      types.insert(types.end(), more->begin(), more->end());
    }
    return types;
  }
  // Without a type the grammar allows fewer values than the schema, but the schema's count here.
  return std::nullopt;
}

bool SchemaReader::are_disjoint(const Value& a, const Value& b) const {
  const auto types_a = possible_types(a, 0);
  const auto types_b = possible_types(b, 0);
  if (types_a && types_b && !share_a_type(*types_a, *types_b)) return true;
  const auto literals_a = possible_literals(a);
  const auto literals_b = possible_literals(b);
  if (literals_a && literals_b) return !share_a_value(*literals_a, *literals_b);
  const Object* object_a = resolve(a);
  const Object* object_b = resolve(b);
  if (object_a == nullptr || object_b == nullptr || !types_a || !types_b) return false;
  const Object* properties_a = properties_of(*object_a);
  const Object* properties_b = properties_of(*object_b);
  if (properties_a == nullptr || properties_b == nullptr) return false;
  if (*types_a != std::vector<std::string>{"object"} || *types_b != *types_a) return false;
  // A tag: a property that both require, with values that differ.
  return std::ranges::any_of(*properties_a, [&](const auto& property) {
    const Value* other = properties_b->if_contains(property.key());
    if (other == nullptr || !is_required(*object_a, property.key()) ||
        !is_required(*object_b, property.key())) {
      return false;
    }
    const auto tags_a = possible_literals(property.value());
    const auto tags_b = possible_literals(*other);
    return tags_a && tags_b && !share_a_value(*tags_a, *tags_b);
  });
}

Result<> SchemaReader::check_disjoint(const Place& place, const boost::json::array& options) const {
  constexpr std::size_t kMostOptions = 64;
  const std::string pointer = child(place.pointer, "oneOf");
  if (options.size() > kMostOptions) return refuse(pointer, "over {} alternatives", kMostOptions);
  for (std::size_t i = 0; i < options.size(); ++i) {
    for (std::size_t k = i + 1; k < options.size(); ++k) {
      if (!are_disjoint(options[i], options[k])) {
        return refuse(pointer,
                      "alternatives {} and {} might both match: give them different types, or a required "
                      "property with different constants, or write anyOf",
                      i, k);
      }
    }
  }
  return {};
}

}  // namespace carat::grammar
