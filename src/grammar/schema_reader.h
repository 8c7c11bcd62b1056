#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "grammar/schema.h"

namespace carat::grammar {

// The walk behind read_schema().
class SchemaReader {
 public:
  SchemaReader(const boost::json::value& document, bool strict, const SchemaLimits& limits)
      : document_(document), strict_(strict), limits_(limits) {}

  Result<Schema> read();

 private:
  using Value = boost::json::value;
  using Object = boost::json::object;

  // A schema and where it stands.
  struct Place {
    const Object& schema;
    const std::string& pointer;
    std::size_t depth;
  };

  Result<SchemaId> add(SchemaNode node, const std::string& pointer);
  Result<SchemaId> read_at(const Value& value, const std::string& pointer, std::size_t depth);
  Result<SchemaId> read_object_schema(const Place& place);
  Result<> check_keywords(const Place& place) const;
  Result<> check_alone(const Place& place, std::string_view keyword, bool with_type) const;

  Result<SchemaId> read_reference(const Place& place);
  Result<SchemaId> read_literals(const Place& place);
  Result<SchemaId> read_alternatives(const Place& place, std::string_view keyword);
  Result<SchemaId> read_types(const Place& place);
  Result<SchemaId> read_type(const Place& place, std::string_view type);
  Result<SchemaId> read_integer(const Place& place);
  Result<SchemaId> read_number(const Place& place);
  Result<SchemaId> read_string(const Place& place);
  Result<SchemaId> read_array(const Place& place);
  Result<SchemaId> read_object(const Place& place);
  Result<> read_members(const Place& place, SchemaNode& node);
  Result<> read_additional(const Place& place, SchemaNode& node);
  Result<> read_pattern_members(const Place& place, SchemaNode& node);
  Result<> check_member_counts(const Place& place, const SchemaNode& node) const;
  Result<std::optional<std::uint32_t>> find_count(const Place& place, std::string_view keyword,
                                                  std::uint32_t most) const;
  Result<std::vector<std::string>> types_of(const Place& place) const;
  Result<> check_finite() const;
  Result<> check_disjoint(const Place& place, const boost::json::array& options) const;
  const Object* resolve(const Value& value) const;
  std::optional<boost::json::array> possible_literals(const Value& value) const;
  std::optional<std::vector<std::string>> possible_types(const Value& value, std::size_t depth) const;
  bool are_disjoint(const Value& a, const Value& b) const;

  const Value& document_;
  bool strict_;
  SchemaLimits limits_;
  Schema schema_;
  std::size_t enum_values_ = 0;
  std::size_t enum_bytes_ = 0;
  std::unordered_map<std::string, SchemaId> references_;  // by pointer
};

}  // namespace carat::grammar
