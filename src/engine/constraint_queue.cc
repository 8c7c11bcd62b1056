#include "engine/constraint_queue.h"

#include <exception>
#include <utility>

#include "engine/engine.h"

namespace carat::engine {
namespace {

// Refusals say what they are about; what is nobody's fault keeps its words.
Error about_constraint(const Error& error) {
  if (error.kind != ErrorKind::kUsage) return error;
  return {ErrorKind::kUsage, std::string(kConstraintError) + error.message};
}

}  // namespace

bool CompilingConstraint::is_done() const {
  const std::scoped_lock lock(mutex_);
  return compiled_.has_value();
}

void CompilingConstraint::finish(Compiled compiled) {
  const std::scoped_lock lock(mutex_);
  compiled_ = std::move(compiled);
}

Result<grammar::TokenMatcher> CompilingConstraint::start() {
  const std::scoped_lock lock(mutex_);
  if (!*compiled_) return std::unexpected(about_constraint(compiled_->error()));
  return grammar::TokenMatcher::start(**compiled_);
}

ConstraintQueue::ConstraintQueue(std::shared_ptr<const tokenizer::Tokenizer> tokenizer,
                                 grammar::CompilerOptions options, std::function<void()> on_done)
    : compiler_(std::move(tokenizer), std::move(options)),
      on_done_(std::move(on_done)),
      thread_([this] { run(); }) {}

ConstraintQueue::~ConstraintQueue() {
  Job current;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    current = current_;
  }
  if (current) current->abandon();
  changed_.notify_all();
  thread_.join();
}

Result<std::shared_ptr<CompilingConstraint>> ConstraintQueue::add(const prompt::Constraint& source,
                                                                  const std::string& owner) {
  auto known = compiler_.find(source);
  if (!known) return std::unexpected(about_constraint(known.error()));
  auto job = std::make_shared<CompilingConstraint>(source, owner);
  if (*known) {
    job->finish(std::move(*known));
    return job;
  }
  const std::scoped_lock lock(mutex_);
  lines_[owner].push_back(job);
  changed_.notify_all();
  return job;
}

void ConstraintQueue::run() {
  while (const Job job = next()) {
    compile(*job);
    on_done_();
  }
}

// Null: the queue is going away.
ConstraintQueue::Job ConstraintQueue::next() {
  std::unique_lock lock(mutex_);
  current_ = nullptr;
  changed_.wait(lock, [this] { return stopping_ || !lines_.empty(); });
  if (stopping_) return nullptr;
  auto line = lines_.upper_bound(latest_);
  if (line == lines_.end()) line = lines_.begin();
  latest_ = line->first;
  current_ = std::move(line->second.front());
  line->second.pop_front();
  if (line->second.empty()) lines_.erase(line);
  return current_;
}

void ConstraintQueue::compile(CompilingConstraint& job) {
  try {
    job.finish(compiler_.compile(job.source_, job.stop_.get_token()));
  } catch (const std::exception& error) {  // memory that is refused
    job.finish(fail(ErrorKind::kFailed, "the output constraint could not be compiled: {}", error.what()));
  }
}

}  // namespace carat::engine
