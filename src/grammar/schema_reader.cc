#include "grammar/schema_reader.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

#include "grammar/code_points.h"
#include "grammar/json_pointer.h"

namespace carat::grammar {
namespace {

constexpr std::array<std::string_view, 12> kAnnotations = {
    "title",     "description", "default", "examples", "deprecated", "readOnly",
    "writeOnly", "$comment",    "$schema", "$id",      "$defs",      "definitions"};

constexpr std::array<std::string_view, 28> kKeywords = {"type",
                                                        "enum",
                                                        "const",
                                                        "anyOf",
                                                        "oneOf",
                                                        "allOf",
                                                        "$ref",
                                                        "properties",
                                                        "required",
                                                        "additionalProperties",
                                                        "patternProperties",
                                                        "minProperties",
                                                        "maxProperties",
                                                        "items",
                                                        "prefixItems",
                                                        "minItems",
                                                        "maxItems",
                                                        "uniqueItems",
                                                        "minLength",
                                                        "maxLength",
                                                        "pattern",
                                                        "format",
                                                        "minimum",
                                                        "maximum",
                                                        "exclusiveMinimum",
                                                        "exclusiveMaximum",
                                                        "multipleOf",
                                                        "nullable"};

bool is_annotation(std::string_view keyword) {
  return std::ranges::find(kAnnotations, keyword) != kAnnotations.end() || keyword.starts_with("x-");
}

}  // namespace

Result<Schema> SchemaReader::read() {
  references_.emplace("", 0);
  SchemaNode root{.kind = SchemaNode::Kind::kEither};  // one option: what the document is
  schema_.nodes.push_back(root);
  CARAT_TRY(const SchemaId id, read_at(document_, "", 0));
  schema_.nodes[0].options = {id};
  CARAT_TRY_VOID(check_finite());
  return std::move(schema_);
}

Result<SchemaId> SchemaReader::add(SchemaNode node, const std::string& pointer) {
  if (schema_.nodes.size() >= limits_.nodes) {
    return refuse(pointer, "the schema has over {} parts", limits_.nodes);
  }
  schema_.nodes.push_back(std::move(node));
  return static_cast<SchemaId>(schema_.nodes.size() - 1);
}

Result<SchemaId> SchemaReader::read_at(const Value& value, const std::string& pointer, std::size_t depth) {
  if (depth > limits_.depth) return refuse(pointer, "schemas are nested more than {} deep", limits_.depth);
  if (value.is_bool() && value.get_bool()) return add({}, pointer);
  if (value.is_bool()) return refuse(pointer, "false allows no value");
  if (!value.is_object()) return refuse(pointer, "a schema is an object, true or false");
  return read_object_schema({value.get_object(), pointer, depth});
}

Result<SchemaId> SchemaReader::read_object_schema(const Place& place) {
  CARAT_TRY_VOID(check_keywords(place));
  const Object& schema = place.schema;
  if (schema.contains("$ref")) return read_reference(place);
  if (schema.contains("const") || schema.contains("enum")) return read_literals(place);
  for (const std::string_view keyword : {"anyOf", "oneOf", "allOf"}) {
    if (schema.contains(keyword)) return read_alternatives(place, keyword);
  }
  return read_types(place);
}

// What is not known is refused: a keyword that is passed over would let wrong answers through.
Result<> SchemaReader::check_keywords(const Place& place) const {
  for (const auto& member : place.schema) {
    const std::string_view keyword = member.key();
    if (is_annotation(keyword)) continue;
    if (std::ranges::find(kKeywords, keyword) == kKeywords.end() || keyword == "multipleOf" ||
        keyword == "nullable") {
      return refuse(child(place.pointer, keyword), "this keyword is not supported");
    }
    const bool off = member.value().is_bool() && !member.value().get_bool();
    if (keyword == "uniqueItems" && !off) {
      return refuse(child(place.pointer, keyword), "this keyword is not supported unless it is false");
    }
  }
  return {};
}

// Keywords beside these would have to hold as well.
Result<> SchemaReader::check_alone(const Place& place, std::string_view keyword, bool with_type) const {
  for (const auto& member : place.schema) {
    const std::string_view other = member.key();
    if (other == keyword || is_annotation(other) || (with_type && other == "type")) continue;
    return refuse(child(place.pointer, other), "this keyword is not supported beside {}", keyword);
  }
  return {};
}

Result<SchemaId> SchemaReader::read_reference(const Place& place) {
  CARAT_TRY_VOID(check_alone(place, "$ref", false));
  const std::string pointer = child(place.pointer, "$ref");
  const Value& reference = place.schema.at("$ref");
  if (!reference.is_string() || !reference.get_string().starts_with('#')) {
    return refuse(pointer, "only references into this schema (#/...) are supported");
  }
  const auto target = unescape_fragment(std::string_view(reference.get_string()).substr(1));
  const Value* found = target ? find_pointer(document_, *target) : nullptr;
  if (found == nullptr) return refuse(pointer, "there is no such place in this schema");
  if (const auto known = references_.find(*target); known != references_.end()) return known->second;
  // The node has its number before what it stands for is read, which may refer back to it.
  CARAT_TRY(const SchemaId id, add({.kind = SchemaNode::Kind::kEither}, pointer));
  references_.emplace(*target, id);
  CARAT_TRY(const SchemaId value, read_at(*found, *target, place.depth + 1));
  schema_.nodes[id].options = {value};
  return id;
}

Result<SchemaId> SchemaReader::read_literals(const Place& place) {
  const std::string_view keyword = place.schema.contains("const") ? "const" : "enum";
  CARAT_TRY_VOID(check_alone(place, keyword, true));
  const std::string pointer = child(place.pointer, keyword);
  const Value& given = place.schema.at(keyword);
  if (keyword == "enum" && !given.is_array()) return refuse(pointer, "an array was expected");
  const boost::json::array values = keyword == "enum" ? given.get_array() : boost::json::array{given};
  CARAT_TRY(const std::vector<std::string> types, types_of(place));
  SchemaNode node{.kind = SchemaNode::Kind::kText};
  for (const Value& value : values) {
    if (!types.empty() &&
        std::ranges::none_of(types, [&](const std::string& t) { return has_type(value, t); })) {
      continue;
    }
    const std::string text = boost::json::serialize(value);
    enum_bytes_ += text.size();
    if (++enum_values_ > limits_.enum_values || enum_bytes_ > limits_.enum_bytes) {
      return refuse(pointer, "over {} values or {} bytes of them", limits_.enum_values, limits_.enum_bytes);
    }
    node.ebnf += (node.ebnf.empty() ? "(" : " | ") + ebnf_literal(text);
    node.text_is_string = node.text_is_string || value.is_string();
  }
  if (node.ebnf.empty()) return refuse(pointer, "no value is allowed");
  node.ebnf += ")";
  return add(std::move(node), pointer);
}

Result<SchemaId> SchemaReader::read_alternatives(const Place& place, std::string_view keyword) {
  CARAT_TRY_VOID(check_alone(place, keyword, false));
  const std::string pointer = child(place.pointer, keyword);
  const Value& given = place.schema.at(keyword);
  if (!given.is_array() || given.get_array().empty())
    return refuse(pointer, "an array of schemas was expected");
  const boost::json::array& options = given.get_array();
  if (keyword == "allOf" && options.size() > 1)
    return refuse(pointer, "more than one schema is not supported");
  if (keyword == "oneOf") CARAT_TRY_VOID(check_disjoint(place, options));
  SchemaNode node{.kind = SchemaNode::Kind::kEither};
  for (std::size_t i = 0; i < options.size(); ++i) {
    const Value& option = options[i];
    if (keyword != "allOf" && option.is_bool() && !option.get_bool()) continue;  // never chosen
    CARAT_TRY(const SchemaId id, read_at(option, child(pointer, std::to_string(i)), place.depth + 1));
    node.options.push_back(id);
  }
  if (node.options.empty()) return refuse(pointer, "no value is allowed");
  return add(std::move(node), pointer);
}

Result<std::vector<std::string>> SchemaReader::types_of(const Place& place) const {
  std::vector<std::string> types;
  const Value* given = place.schema.if_contains("type");
  if (given == nullptr) return types;
  const boost::json::array list = given->is_array() ? given->get_array() : boost::json::array{*given};
  for (const Value& type : list) {
    const bool known = type.is_string() && is_type_name(type.get_string());
    if (!known) return refuse(child(place.pointer, "type"), "not a type: {}", boost::json::serialize(type));
    types.emplace_back(type.get_string());
  }
  if (types.empty()) return refuse(child(place.pointer, "type"), "no type is allowed");
  return types;
}

Result<SchemaId> SchemaReader::read_types(const Place& place) {
  CARAT_TRY(std::vector<std::string> types, types_of(place));
  if (types.empty()) types = types_meant(place.schema);
  if (types.empty()) return add({}, place.pointer);
  if (types.size() == 1) return read_type(place, types[0]);
  SchemaNode node{.kind = SchemaNode::Kind::kEither};
  for (const std::string& type : types) {
    CARAT_TRY(const SchemaId id, read_type(place, type));
    node.options.push_back(id);
  }
  return add(std::move(node), place.pointer);
}

Result<SchemaId> SchemaReader::read_type(const Place& place, std::string_view type) {
  if (type == "null") return add({.kind = SchemaNode::Kind::kText, .ebnf = "\"null\""}, place.pointer);
  if (type == "boolean") {
    return add({.kind = SchemaNode::Kind::kText, .ebnf = "(\"true\" | \"false\")"}, place.pointer);
  }
  if (type == "integer") return read_integer(place);
  if (type == "number") return read_number(place);
  if (type == "string") return read_string(place);
  if (type == "array") return read_array(place);
  return read_object(place);
}

// Least fixed point: a part is finite when a finite value of it exists.
Result<> SchemaReader::check_finite() const {
  std::vector<bool> finite(schema_.nodes.size(), false);
  const auto is_finite = [&](SchemaId id) { return static_cast<bool>(finite[id]); };
  const auto holds = [&](const SchemaNode& node) {
    switch (node.kind) {
      case SchemaNode::Kind::kArray:
        return std::ranges::all_of(node.prefix, is_finite) &&
               (node.least_items <= node.prefix.size() || is_finite(*node.items));
      case SchemaNode::Kind::kObject:
        return std::ranges::all_of(node.members,
                                   [&](const SchemaMember& m) { return !m.required || is_finite(m.value); });
      case SchemaNode::Kind::kEither: return std::ranges::any_of(node.options, is_finite);
      default: return true;
    }
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < finite.size(); ++i) {
      if (finite[i] || !holds(schema_.nodes[i])) continue;
      finite[i] = changed = true;
    }
  }
  // A part that can never end would be a trap where it may be chosen.
  if (std::ranges::find(finite, false) != finite.end()) {
    return fail(ErrorKind::kUsage, "the schema refers to itself in a way that no finite value satisfies");
  }
  return {};
}

}  // namespace carat::grammar
