#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/result.h"
#include "grammar/grammar_compiler.h"
#include "grammar/token_matcher.h"
#include "prompt/constraint.h"
#include "tokenizer/tokenizer.h"

namespace carat::engine {

// A constraint that is being compiled, or was. Whoever lets go of it before stops the work.
class CompilingConstraint {
 public:
  using Compiled = Result<std::shared_ptr<const grammar::CompiledConstraint>>;

  CompilingConstraint(prompt::Constraint source, std::string owner)
      : source_(std::move(source)), owner_(std::move(owner)) {}

  void abandon() { stop_.request_stop(); }
  bool is_done() const;
  // Once, when it is done. kUsage, beginning with kConstraintError, for one that is refused.
  Result<grammar::TokenMatcher> start();

 private:
  friend class ConstraintQueue;
  void finish(Compiled compiled);

  prompt::Constraint source_;
  std::string owner_;
  std::stop_source stop_;
  mutable std::mutex mutex_;
  std::optional<Compiled> compiled_;
};

// Compiles constraints on a thread of its own, one after the other, those of different owners in turn: the
// thread that steps the model never waits for it. What was compiled before is there at once.
class ConstraintQueue {
 public:
  // `on_done` is called on the queue's thread, after each.
  ConstraintQueue(std::shared_ptr<const tokenizer::Tokenizer> tokenizer, grammar::CompilerOptions options,
                  std::function<void()> on_done);
  // Stops what is being compiled; what waits stays undone.
  ~ConstraintQueue();
  ConstraintQueue(const ConstraintQueue&) = delete;
  ConstraintQueue& operator=(const ConstraintQueue&) = delete;

  // kUsage, beginning with kConstraintError, for a constraint that is not understood.
  Result<std::shared_ptr<CompilingConstraint>> add(const prompt::Constraint& source,
                                                   const std::string& owner);

 private:
  using Job = std::shared_ptr<CompilingConstraint>;

  void run();
  Job next();
  void compile(CompilingConstraint& job);

  grammar::GrammarCompiler compiler_;
  std::function<void()> on_done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::deque<Job>> lines_;  // by owner, none of them empty
  std::string latest_;                            // the owner who was served last
  Job current_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace carat::engine
