#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace carat::grammar {

using SchemaId = std::uint32_t;  // index of a node

struct SchemaMember {
  std::string name;
  SchemaId value = 0;
  bool required = false;
};

// One kind of value. What a schema says beyond its kind is already text of the grammar, except for what parts
// refer to and what is counted while the answer is written.
struct SchemaNode {
  enum class Kind {
    kAny,     // every JSON value
    kText,    // `ebnf`: literals, numbers, strings of a pattern or format
    kString,  // of least_length to most_length characters
    kArray,   // `prefix`, then values of `items`
    kObject,  // `members` in their order, then others of `additional`
    kEither,  // any of `options`
  };
  Kind kind = Kind::kAny;
  std::string ebnf = {};
  bool text_is_string = false;  // kText: whether some of its values are strings
  std::uint32_t least_length = 0;
  std::optional<std::uint32_t> most_length = {};
  std::vector<SchemaId> prefix = {};
  std::optional<SchemaId> items = {};
  std::uint32_t least_items = 0;
  std::optional<std::uint32_t> most_items = {};
  std::vector<SchemaMember> members = {};
  std::optional<SchemaId> additional = {};
  std::string key_ebnf = {};  // of additional keys, without quotes; empty: any that begins like no member's
  std::vector<SchemaId> options = {};
};

// A checked schema. Every keyword that it had is either in here or says nothing about the value.
struct Schema {
  std::vector<SchemaNode> nodes;
  SchemaId root = 0;
};

struct SchemaLimits {
  std::size_t bytes = std::size_t{64} << 10;
  std::size_t depth = 32;  // of schemas in schemas, through references too
  std::size_t nodes = 2000;
  std::size_t members = 500;  // of one object
  std::size_t enum_values = 1000;
  std::size_t enum_bytes = std::size_t{16} << 10;
  std::uint32_t items = 100;           // in minItems and maxItems
  std::uint32_t characters = 1 << 20;  // in minLength and maxLength
};

// Reads a JSON schema. Only keywords that will be enforced are let through: kUsage, with the JSON pointer of
// what is wrong or not supported, for everything else. Where a schema leaves the type open but has keywords
// of some types, values are of those types. A schema that no finite value satisfies is refused too.
Result<Schema> read_schema(std::string_view json, bool strict, const SchemaLimits& limits = {});

}  // namespace carat::grammar
