#pragma once

#include <string>
#include <variant>
#include <vector>

namespace carat::prompt {

// What an answer must be, as source: an engine compiles it, or refuses it, before the first token. Answers
// are compact JSON, without white space between tokens.

// Any JSON object.
struct JsonObject {
  bool operator==(const JsonObject&) const = default;
};

// A value that a JSON schema describes. `strict` closes every object that does not say otherwise, and refuses
// additionalProperties.
struct JsonSchema {
  std::string text;
  bool strict = false;
  bool operator==(const JsonSchema&) const = default;
};

// Text that a regular expression matches as a whole.
struct Regex {
  std::string pattern;
  bool operator==(const Regex&) const = default;
};

// Text that the rule `root` of a grammar in XGrammar's EBNF derives.
struct Ebnf {
  std::string text;
  bool operator==(const Ebnf&) const = default;
};

// Free text in which `trigger` begins a call of one of the tools, {"name":...,"arguments":{...}}, up to
// `end`.
struct ToolCalls {
  struct Tool {
    std::string name;
    JsonSchema arguments;  // of an object
    bool operator==(const Tool&) const = default;
  };
  std::string trigger;
  std::string end;
  std::vector<Tool> tools;
  bool required = false;  // the answer is a call, from its first character on
  bool parallel = true;   // more calls may follow the first; else it ends the answer
  bool operator==(const ToolCalls&) const = default;
};

using Constraint = std::variant<JsonObject, JsonSchema, Regex, Ebnf, ToolCalls>;

}  // namespace carat::prompt
