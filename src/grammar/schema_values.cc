// What schemas say about numbers, strings, arrays and objects.
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "grammar/json_pointer.h"
#include "grammar/number_range.h"
#include "grammar/regex.h"
#include "grammar/schema_reader.h"
#include "grammar/string_formats.h"

namespace carat::grammar {
namespace {

using boost::json::object;
using boost::json::value;

// Few enough digits for a double, and an end for a model that writes digits for ever.
constexpr std::string_view kNumber =
    "(\"-\"? (\"0\" | [1-9] [0-9]{0,17}) (\".\" [0-9]{1,18})? ([eE] [+-]? [0-9]{1,2})?)";

// Beyond this whole doubles are not exact, and so no bounds of whole numbers.
constexpr double kMostExact = 9007199254740992.0;  // 2^53

struct Keyword {
  std::string_view name;
  bool lower;
  bool exclusive;
};
constexpr Keyword kBounds[] = {{"minimum", true, false},
                               {"exclusiveMinimum", true, true},
                               {"maximum", false, false},
                               {"exclusiveMaximum", false, true}};

// The tightest of the bounds for integers; false where the number is too large to tell.
bool tighten(const value& given, const Keyword& keyword, std::optional<std::int64_t>& least,
             std::optional<std::int64_t>& most) {
  const double number = given.to_number<double>();
  if (!(std::abs(number) <= kMostExact)) return false;
  const double inside = keyword.lower ? std::ceil(number) : std::floor(number);
  auto bound = static_cast<std::int64_t>(inside);
  if (keyword.exclusive && inside == number) bound += keyword.lower ? 1 : -1;
  if (keyword.lower)
    least = std::max(least.value_or(bound), bound);
  else
    most = std::min(most.value_or(bound), bound);
  return true;
}

std::string text_of(const value& number) {
  if (number.is_int64()) return fmt::format("{}", number.get_int64());
  if (number.is_uint64()) return fmt::format("{}", number.get_uint64());
  return fmt::format("{}", number.get_double());
}

}  // namespace

Result<SchemaId> SchemaReader::read_integer(const Place& place) {
  std::optional<std::int64_t> least;
  std::optional<std::int64_t> most;
  for (const Keyword& keyword : kBounds) {
    const value* given = place.schema.if_contains(keyword.name);
    if (given == nullptr) continue;
    if (!given->is_number()) return refuse(child(place.pointer, keyword.name), "a number was expected");
    if (!tighten(*given, keyword, least, most)) {
      return refuse(child(place.pointer, keyword.name), "bounds beyond 2^53 are not supported");
    }
  }
  if (least && most && *least > *most) return refuse(place.pointer, "no number is within the bounds");
  return add({.kind = SchemaNode::Kind::kText, .ebnf = integer_range(least, most)}, place.pointer);
}

Result<SchemaId> SchemaReader::read_number(const Place& place) {
  std::optional<NumberBound> least;
  std::optional<NumberBound> most;
  for (const Keyword& keyword : kBounds) {
    const value* given = place.schema.if_contains(keyword.name);
    if (given == nullptr) continue;
    const std::string pointer = child(place.pointer, keyword.name);
    if (!given->is_number()) return refuse(pointer, "a number was expected");
    const auto decimal = parse_decimal(text_of(*given));
    if (!decimal) return refuse(pointer, "a bound with an exponent is not supported");
    std::optional<NumberBound>& bound = keyword.lower ? least : most;
    if (bound) return refuse(pointer, "a second bound on the same side is not supported");
    bound = NumberBound{*decimal, keyword.exclusive};
  }
  const std::string ebnf = least || most ? number_range(least, most) : std::string(kNumber);
  if (ebnf.empty()) return refuse(place.pointer, "no number is within the bounds");
  return add({.kind = SchemaNode::Kind::kText, .ebnf = ebnf}, place.pointer);
}

Result<SchemaId> SchemaReader::read_string(const Place& place) {
  CARAT_TRY(const auto least, find_count(place, "minLength", limits_.characters));
  CARAT_TRY(const auto most, find_count(place, "maxLength", limits_.characters));
  if (most && least.value_or(0) > *most) return refuse(place.pointer, "no string has such a length");
  const value* pattern = place.schema.if_contains("pattern");
  const value* format = place.schema.if_contains("format");
  if (pattern == nullptr && format == nullptr) {
    return add({.kind = SchemaNode::Kind::kString, .least_length = least.value_or(0), .most_length = most},
               place.pointer);
  }
  const std::string_view keyword = pattern != nullptr ? "pattern" : "format";
  const std::string pointer = child(place.pointer, keyword);
  if (least || most) return refuse(pointer, "length limits beside {} are not supported", keyword);
  if (pattern != nullptr && format != nullptr) return refuse(pointer, "beside format this is not supported");
  const value& given = *(pattern != nullptr ? pattern : format);
  if (!given.is_string()) return refuse(pointer, "a string was expected");
  const std::string_view text = given.get_string();
  const std::optional<std::string_view> known = pattern != nullptr ? text : pattern_of_format(text);
  if (!known) return refuse(pointer, "the format {} is not supported", boost::json::serialize(given));
  const auto ebnf = regex_to_ebnf(*known, TextForm::kJsonString, Match::kSearch);
  if (!ebnf) return refuse(pointer, "{}", ebnf.error().message);
  return add(
      {.kind = SchemaNode::Kind::kText, .ebnf = "\"\\\"\" " + *ebnf + " \"\\\"\"", .text_is_string = true},
      place.pointer);
}

Result<SchemaId> SchemaReader::read_array(const Place& place) {
  SchemaNode node{.kind = SchemaNode::Kind::kArray};
  if (const value* prefix = place.schema.if_contains("prefixItems")) {
    const std::string pointer = child(place.pointer, "prefixItems");
    if (!prefix->is_array()) return refuse(pointer, "an array of schemas was expected");
    if (prefix->get_array().size() > limits_.items) return refuse(pointer, "over {} schemas", limits_.items);
    for (std::size_t i = 0; i < prefix->get_array().size(); ++i) {
      CARAT_TRY(const SchemaId id,
                read_at(prefix->get_array()[i], child(pointer, std::to_string(i)), place.depth + 1));
      node.prefix.push_back(id);
    }
  }
  const value* items = place.schema.if_contains("items");
  if (items == nullptr) {
    CARAT_TRY(node.items, add({}, place.pointer));
  } else if (!items->is_bool() || items->get_bool()) {
    CARAT_TRY(node.items, read_at(*items, child(place.pointer, "items"), place.depth + 1));
  }
  CARAT_TRY(const auto least, find_count(place, "minItems", limits_.items));
  CARAT_TRY(node.most_items, find_count(place, "maxItems", limits_.items));
  node.least_items = least.value_or(0);
  const auto most =
      node.items ? node.most_items : std::optional(static_cast<std::uint32_t>(node.prefix.size()));
  if (most && node.least_items > *most) return refuse(place.pointer, "no array has so many items");
  return add(std::move(node), place.pointer);
}

Result<SchemaId> SchemaReader::read_object(const Place& place) {
  SchemaNode node{.kind = SchemaNode::Kind::kObject};
  CARAT_TRY_VOID(read_members(place, node));
  if (place.schema.contains("patternProperties")) {
    CARAT_TRY_VOID(read_pattern_members(place, node));
  } else {
    CARAT_TRY_VOID(read_additional(place, node));
  }
  if (node.members.size() > limits_.members)
    return refuse(place.pointer, "over {} properties", limits_.members);
  CARAT_TRY_VOID(check_member_counts(place, node));
  return add(std::move(node), place.pointer);
}

// The declared properties in their order, then those that are only required.
Result<> SchemaReader::read_members(const Place& place, SchemaNode& node) {
  if (const value* properties = place.schema.if_contains("properties")) {
    const std::string pointer = child(place.pointer, "properties");
    if (!properties->is_object()) return refuse(pointer, "an object of schemas was expected");
    for (const auto& property : properties->get_object()) {
      const std::string_view name = property.key();
      if (property.value().is_bool() && !property.value().get_bool()) {
        return refuse(child(pointer, name), "a forbidden property is not supported");
      }
      CARAT_TRY(const SchemaId id, read_at(property.value(), child(pointer, name), place.depth + 1));
      node.members.push_back({std::string(name), id, false});
    }
  }
  const value* required = place.schema.if_contains("required");
  if (required == nullptr) return {};
  const std::string pointer = child(place.pointer, "required");
  if (!required->is_array()) return refuse(pointer, "an array of names was expected");
  for (const value& name : required->get_array()) {
    if (!name.is_string()) return refuse(pointer, "an array of names was expected");
    auto member = std::ranges::find(node.members, std::string_view(name.get_string()), &SchemaMember::name);
    if (member == node.members.end()) {
      const value* others = place.schema.if_contains("additionalProperties");
      if (others != nullptr && others->is_bool() && !others->get_bool()) {
        return refuse(pointer, "the required {} may not be there", boost::json::serialize(name));
      }
      CARAT_TRY(const SchemaId id,
                others == nullptr
                    ? add({}, pointer)
                    : read_at(*others, child(place.pointer, "additionalProperties"), place.depth + 1));
      node.members.push_back({std::string(name.get_string()), id, false});
      member = std::prev(node.members.end());
    }
    member->required = true;
  }
  return {};
}

Result<> SchemaReader::read_additional(const Place& place, SchemaNode& node) {
  const value* given = place.schema.if_contains("additionalProperties");
  if (given == nullptr) {
    if (strict_ && place.schema.contains("properties")) return {};
    CARAT_TRY(node.additional, add({}, place.pointer));
    return {};
  }
  if (given->is_bool() && !given->get_bool()) return {};
  const std::string pointer = child(place.pointer, "additionalProperties");
  if (strict_) return refuse(pointer, "strict schemas say false here");
  CARAT_TRY(node.additional, read_at(*given, pointer, place.depth + 1));
  return {};
}

// Where a key could fall under several schemas at once, all of them would count: so there is one pattern, and
// nothing else.
Result<> SchemaReader::read_pattern_members(const Place& place, SchemaNode& node) {
  const std::string pointer = child(place.pointer, "patternProperties");
  const value& given = place.schema.at("patternProperties");
  const value* others = place.schema.if_contains("additionalProperties");
  const bool closed =
      strict_ ? others == nullptr || others->is_bool() : others != nullptr && others->is_bool();
  if (!given.is_object() || given.get_object().size() != 1 || !node.members.empty() || !closed ||
      (others != nullptr && others->get_bool())) {
    return refuse(pointer,
                  "one pattern is supported, without properties and with additionalProperties false");
  }
  const auto& pattern = *given.get_object().begin();
  const auto key = regex_to_ebnf(pattern.key(), TextForm::kJsonString, Match::kSearch);
  if (!key) return refuse(child(pointer, pattern.key()), "{}", key.error().message);
  node.key_ebnf = *key;
  CARAT_TRY(node.additional, read_at(pattern.value(), child(pointer, pattern.key()), place.depth + 1));
  return {};
}

// Counts hold only where the rest of the schema implies them.
Result<> SchemaReader::check_member_counts(const Place& place, const SchemaNode& node) const {
  constexpr std::uint32_t kAny = std::numeric_limits<std::uint32_t>::max();
  CARAT_TRY(const auto least, find_count(place, "minProperties", kAny));
  CARAT_TRY(const auto most, find_count(place, "maxProperties", kAny));
  const auto required = std::ranges::count_if(node.members, &SchemaMember::required);
  if (least && static_cast<std::int64_t>(*least) > required) {
    return refuse(child(place.pointer, "minProperties"),
                  "more than the required properties is not supported");
  }
  if (most && (node.additional || *most < node.members.size())) {
    return refuse(child(place.pointer, "maxProperties"), "fewer than all properties is not supported");
  }
  return {};
}

Result<std::optional<std::uint32_t>> SchemaReader::find_count(const Place& place, std::string_view keyword,
                                                              std::uint32_t most) const {
  const value* given = place.schema.if_contains(keyword);
  if (given == nullptr) return std::optional<std::uint32_t>();
  const double number = given->is_number() ? given->to_number<double>() : -1.0;
  if (!(number >= 0.0) || std::trunc(number) != number) {
    return refuse(child(place.pointer, keyword), "a whole number was expected");
  }
  if (number > most) return refuse(child(place.pointer, keyword), "{} is over the limit of {}", number, most);
  return std::optional(static_cast<std::uint32_t>(number));
}

}  // namespace carat::grammar
