#pragma once

#include <xgrammar/compiler.h>

#include <memory>

#include "grammar/compile_job.h"
#include "grammar/length_guard.h"
#include "grammar/token_table.h"

namespace carat::grammar {

// A constraint ready to be followed. Immutable; threads may share one.
struct CompiledConstraint {
  xgrammar::CompiledGrammar grammar;
  std::shared_ptr<const GuardRules> guard;
  std::shared_ptr<const TokenTable> tokens;
  MaskBudget budget = {};
};

}  // namespace carat::grammar
