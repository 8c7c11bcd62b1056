#pragma once

#include <string>
#include <string_view>

#include "grammar/schema.h"

namespace carat::grammar {

// The rules of EBNF grammars for JSON text without white space.
class JsonRules {
 public:
  // Adds the rules for a schema, each name begun with `prefix` (letters), and returns the name of its rule.
  // What the schema counts (lengths of strings) is not in them.
  std::string add(const Schema& schema, const std::string& prefix);
  // Adds a rule of one's own.
  void add_rule(std::string_view name, std::string_view body);

  static constexpr std::string_view kAnyObject = "json_object";  // the rule for any object
  // All rules, those for any JSON value among them.
  std::string take() &&;

 private:
  std::string text_;
};

}  // namespace carat::grammar
