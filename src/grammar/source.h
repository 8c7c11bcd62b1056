#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "grammar/length_guard.h"
#include "grammar/schema.h"
#include "prompt/constraint.h"

namespace carat::grammar {

// A constraint as two parts that hold together: a grammar in EBNF with the rule `root`, and what is counted
// beside it.
struct GrammarSource {
  std::string ebnf;
  GuardRules guard;
};

struct SourceLimits {
  SchemaLimits schema;
  std::size_t ebnf_bytes = std::size_t{1} << 20;  // of the grammar made of a constraint, or given as one
  std::size_t tools = 128;
  std::size_t trigger_bytes = 256;
};

// kUsage, for people and with its place, where a constraint is not understood in full.
Result<GrammarSource> to_grammar(const prompt::Constraint& constraint, const SourceLimits& limits = {});

}  // namespace carat::grammar
