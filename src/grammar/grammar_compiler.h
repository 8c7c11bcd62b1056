#pragma once

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "grammar/compile_job.h"
#include "grammar/source.h"
#include "prompt/constraint.h"
#include "tokenizer/tokenizer.h"
#include "worker/launcher.h"

namespace carat::grammar {

struct CompiledConstraint;

struct CompilerOptions {
  std::string worker_program = worker::installed_program();
  // Memory holds the vocabulary and XGrammar's cache too; processor time is that of one process, which is
  // started anew when it is used up.
  worker::Limits worker = {.memory_bytes = std::uint64_t{2} << 30,
                           .processor_time = std::chrono::seconds(600),
                           .wall_time = std::chrono::milliseconds(5000),
                           .reply_bytes = std::uint64_t{64} << 20};
  SourceLimits source = {};
  Trial trial = {};
  MaskBudget budget = {};   // of each answer
  std::size_t cached = 64;  // constraints
  std::size_t cached_bytes = std::size_t{64} << 20;
};

// Turns constraints into something that can be followed token by token, for one vocabulary. XGrammar's parser
// and compiler run in a worker process, which is killed at a limit; what they made is kept, the least
// recently used going first. Threads may share one. Nothing is started before the first constraint comes.
class GrammarCompiler {
 public:
  explicit GrammarCompiler(std::shared_ptr<const tokenizer::Tokenizer> tokenizer,
                           CompilerOptions options = {});
  ~GrammarCompiler();

  // The same where it is kept already, else null: no more work than reading the source, a few milliseconds at
  // most. kUsage as below.
  Result<std::shared_ptr<const CompiledConstraint>> find(const prompt::Constraint& constraint);

  // Takes some 5 to 50 ms where it is not known yet, so it is no work for the thread that steps the model.
  // kUsage, for the one who sent it, when the constraint is not supported, wrong or too expensive;
  // kInterrupted when `stop` is requested; else kFailed.
  Result<std::shared_ptr<const CompiledConstraint>> compile(const prompt::Constraint& constraint,
                                                            const std::stop_token& stop = {});

  struct Counts {
    std::size_t compiled = 0;
    std::size_t found = 0;    // in the cache
    std::size_t started = 0;  // worker processes
  };
  Counts counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace carat::grammar
