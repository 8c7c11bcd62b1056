#include "engine/running_requests.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "model/model.h"

namespace carat::engine {
namespace {

// So many tokens that need not be read twice are worth waiting for.
constexpr std::size_t kWorthWaiting = 32;

// What one of several requests does must not end the process: memory that is refused, above all.
template <class Work>
Result<> guarded(Work&& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return fail(ErrorKind::kFailed, "the step failed: {}", error.what());
  }
}

}  // namespace

RunningRequests::RunningRequests(LoadedModel& model, const model::KvGeometry& geometry,
                                 const WorkLimits& limits, ImageReader* images, const Clock& clock)
    : clock_(clock),
      limits_(limits),
      images_(images),
      pool_(geometry, limits.capacity),
      pace_(limits.step_seconds, limits.prefill_chunk),
      batch_(*model.model, pool_) {}

bool RunningRequests::has_room_for(const ActiveRequest& request) const {
  if (running_.empty()) return true;
  std::size_t global = 0;
  std::size_t local = 0;
  const auto add = [&](const ActiveRequest& other) {
    const model::KvCapacity need =
        model::sequence_capacity(pool_.geometry(), {.context_length = other.tokens().ids.size() + 1,
                                                    .step_rows = limits_.longest_step,
                                                    .rollback_tokens = limits_.rollback_tokens});
    global += need.global_blocks;
    local += need.local_blocks;
  };
  add(request);
  for (const auto& other : running_) add(*other);
  return global <= limits_.capacity.global_blocks && local <= limits_.capacity.local_blocks;
}

void RunningRequests::step(const std::stop_token& shutdown) {
  for (const auto& request : running_) request->check_over();
  start_those_ready();
  look_at_an_image(shutdown);
  std::vector<StepPart> parts = plan();
  prepare(parts);
  if (!parts.empty()) run(parts, shutdown);
}

// One that begins like an older one which is still reading its prompt waits for it, and then shares what was
// read: several answers to one question cost one prefill.
void RunningRequests::start_those_ready() {
  for (const auto& request : running_) {
    if (request->started() || request->outcome() || waits_for_another(*request)) continue;
    request->start(open_sequence(*request));
  }
}

bool RunningRequests::waits_for_another(const ActiveRequest& request) const {
  if (!request.may_reuse()) return false;
  // What it shares with another one's prompt, and whether that was read.
  const auto shared = [&](const ActiveRequest& other) {
    return std::min({common_prefix(request.tokens(), other.tokens()), other.prompt_size(),
                     request.tokens().ids.size() - 1});
  };
  const auto was_read = [&](const ActiveRequest& other) {
    return other.started() && other.kv().length() >= shared(other);
  };
  std::size_t there_is = kept_.longest_prefix(request.scope(), request.tokens());
  for (const auto& other : running_) {
    if (other.get() == &request || other->scope() != request.scope() || !was_read(*other)) continue;
    there_is = std::max(there_is, usable_prefix(request.tokens(), other->tokens(), other->kv()));
  }
  for (const auto& other : running_) {
    if (other.get() == &request) return false;  // the others are younger
    if (other->scope() != request.scope() || other->outcome() || was_read(*other)) continue;
    if (shared(*other) >= there_is + kWorthWaiting) return true;
  }
  return false;
}

// The running request that shares a longer prefix with this one than so many tokens, and the longest; or
// null.
const ActiveRequest* RunningRequests::best_source(const ActiveRequest& request,
                                                  std::size_t longer_than) const {
  const ActiveRequest* best = nullptr;
  for (const auto& other : running_) {
    if (!other->started() || other->scope() != request.scope()) continue;
    const std::size_t length = usable_prefix(request.tokens(), other->tokens(), other->kv());
    if (length <= longer_than) continue;
    longer_than = length;
    best = other.get();
  }
  return best;
}

std::unique_ptr<KvSequence> RunningRequests::open_sequence(const ActiveRequest& request) {
  auto fresh = [&] { return std::make_unique<KvSequence>(pool_, limits_.rollback_tokens); };
  if (!request.may_reuse()) return fresh();
  const std::size_t kept = kept_.longest_prefix(request.scope(), request.tokens());
  if (const ActiveRequest* source = best_source(request, kept)) {
    auto sequence = fresh();
    sequence->share_prefix(source->kv(), usable_prefix(request.tokens(), source->tokens(), source->kv()));
    return sequence;
  }
  auto reused = kept_.reuse(request.scope(), request.tokens(), pool_, limits_.rollback_tokens);
  if (reused == nullptr) return fresh();
  return reused;
}

void RunningRequests::look_at_an_image(const std::stop_token& shutdown) {
  std::vector<Waiting> waiting;
  std::vector<ActiveRequest*> requests;
  for (const auto& request : running_) {
    if (!request->started() || request->outcome() || !request->needs_image()) continue;
    waiting.push_back({.owner = request->scope().owner, .rows = 1});
    requests.push_back(request.get());
  }
  const std::vector<Share> shares = image_turns_.divide(waiting, {.rows = 1});
  if (shares.empty()) return;
  ActiveRequest& request = *requests[shares[0].index];
  const Result<> looked = guarded([&] {
    const CommonStop stop(std::array{request.stop_token()}, shutdown);
    return request.look(*images_, stop.token());
  });
  if (looked) {
    ++steps_;
  } else if (looked.error().kind != ErrorKind::kInterrupted) {
    request.set_outcome(looked.error());
  }
}

std::vector<StepPart> RunningRequests::plan() {
  std::vector<Waiting> waiting;
  std::vector<StepPart> parts;
  std::vector<std::size_t> part_of;  // of each that waits
  bool decodes = false;
  for (const auto& request : running_) {
    if (!request->started() || request->outcome() || request->needs_image()) continue;
    parts.push_back({request.get(), request->kv().length()});
    if (request->decodes()) {
      parts.back().end += request->pending();
      decodes = true;
      continue;
    }
    part_of.push_back(parts.size() - 1);
    waiting.push_back({.owner = request->scope().owner,
                       .rows = request->pending(),
                       .wants_logits = request->wants_prompt_logprobs()});
  }
  const StepBudget budget{.rows = pace_.rows(decodes), .logit_rows = model::kHeadRows};
  for (const Share& share : prefill_turns_.divide(waiting, budget)) {
    StepPart& part = parts[part_of[share.index]];
    part.end = step_end(part.request->tokens(), part.end, share.rows);
  }
  std::erase_if(parts, [](const StepPart& part) { return part.end == part.request->kv().length(); });
  return parts;
}

// Makes blocks for the rows of each part, the oldest request first. When there are none left, finished
// conversations are forgotten, and then the youngest requests give theirs up, to be read again later.
void RunningRequests::prepare(std::vector<StepPart>& parts) {
  for (std::size_t i = 0; i < parts.size();) {
    ActiveRequest& request = *parts[i].request;
    const std::size_t rows = parts[i].end - request.kv().length();
    Result<> made = prepare_sequence(request.kv(), rows);
    while (!made && preempt_one_younger_than(request, parts)) made = prepare_sequence(request.kv(), rows);
    if (made) {
      ++i;
    } else {
      give_up(request, parts, std::move(made).error());
    }
  }
}

Result<> RunningRequests::prepare_sequence(KvSequence& sequence, std::size_t rows) {
  Result<> made = sequence.prepare(rows);
  while (!made && kept_.forget_oldest()) made = sequence.prepare(rows);
  return made;
}

bool RunningRequests::preempt_one_younger_than(const ActiveRequest& request, std::vector<StepPart>& parts) {
  for (std::size_t i = running_.size(); running_[i - 1].get() != &request; --i) {
    if (!running_[i - 1]->started() || running_[i - 1]->outcome()) continue;
    preempt(*running_[i - 1], parts);
    return true;
  }
  return false;
}

// No younger one has memory left to give.
void RunningRequests::give_up(ActiveRequest& request, std::vector<StepPart>& parts, Error error) {
  const bool others_hold = std::ranges::any_of(
      running_, [&](const auto& other) { return other.get() != &request && other->started(); });
  if (others_hold) return preempt(request, parts);
  request.set_outcome(std::move(error));
  std::erase_if(parts, [&](const StepPart& part) { return part.request == &request; });
}

void RunningRequests::preempt(const ActiveRequest& request, std::vector<StepPart>& parts) {
  std::erase_if(parts, [&](const StepPart& part) { return part.request == &request; });
  const auto found = std::ranges::find(running_, &request, &std::unique_ptr<ActiveRequest>::get);
  (*found)->release_kv();
  preempted_.insert(preempted_.begin(), std::move(*found));
  running_.erase(found);
}

void RunningRequests::run(const std::vector<StepPart>& parts, const std::stop_token& shutdown) {
  const auto begin = clock_.now();
  const Result<> ran = guarded([&] { return batch_.run(parts, shutdown); });
  if (ran) {
    ++steps_;
    pace_.record(batch_.rows(), seconds(clock_.now() - begin));
    return;
  }
  if (ran.error().kind == ErrorKind::kInterrupted) return;  // those who were stopped end before the next step
  for (const StepPart& part : parts) {
    if (!part.request->outcome()) part.request->set_outcome(ran.error());
  }
}

std::vector<std::unique_ptr<ActiveRequest>> RunningRequests::take_finished() {
  std::vector<std::unique_ptr<ActiveRequest>> finished;
  for (auto& request : running_) {
    if (!request->check_over()) continue;
    if (request->started()) {
      auto kv = request->release_kv();
      if (!request->failed()) kept_.keep(request->scope(), request->tokens(), std::move(kv));
    }
    finished.push_back(std::move(request));
  }
  std::erase(running_, nullptr);
  return finished;
}

std::vector<std::unique_ptr<ActiveRequest>> RunningRequests::take_all() {
  for (const auto& request : running_) request->release_kv();
  return std::exchange(running_, {});
}

std::vector<std::unique_ptr<ActiveRequest>> RunningRequests::take_preempted() {
  return std::exchange(preempted_, {});
}

}  // namespace carat::engine
