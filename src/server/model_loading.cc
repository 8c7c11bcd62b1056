// The registry's thread: one load or unload at a time, so that what a model needs is free before it is read.

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/size_text.h"
#include "server/model_registry.h"
#include "server/model_slot.h"

namespace carat::server {
namespace {

using std::chrono::nanoseconds;

// An endless wait is written as one that is looked at again now and then, since clocks overflow.
constexpr nanoseconds kLongestWait = std::chrono::hours(1);

ApiError does_not_fit(const std::string& id, std::uint64_t needed, std::uint64_t memory,
                      std::uint64_t pinned) {
  std::string message = fmt::format("the model '{}' needs {} of memory, and {} may be used for models", id,
                                    memory_size_text(needed), memory_size_text(memory));
  if (pinned > 0) message += fmt::format(", of which {} are taken for good", memory_size_text(pinned));
  return {.code = ApiErrorCode::kModelDoesNotFit, .message = std::move(message), .param = "model"};
}

// Of those that a source has; only what it says for clients goes to them.
ApiError from_source(const Error& error) {
  if (error.kind == ErrorKind::kDoesNotFit)
    return {.code = ApiErrorCode::kOutOfMemory, .message = error.message, .param = "model"};
  if (error.kind == ErrorKind::kNotFound)
    return {.code = ApiErrorCode::kModelNotFound, .message = {}, .param = "model"};
  return {.code = ApiErrorCode::kInternal,
          .message = "The model could not be loaded; the log of the server says why."};
}

}  // namespace

void ModelRegistry::run() {
  Lock lock(mutex_);
  while (!ending_) {
    if (unload_next(lock) || load_next(lock)) continue;
    const auto next = next_expiry(residents(/*with_closing=*/true));
    const nanoseconds wait = next ? *next - clock_.now() : kLongestWait;
    changed_.wait_for(lock, std::clamp(wait, nanoseconds(0), kLongestWait));
  }
}

std::vector<Resident> ModelRegistry::residents(bool with_closing) const {
  std::vector<Resident> models;
  for (const auto& [id, slot] : slots_) {
    if (slot->state == Slot::State::kLoaded && (with_closing || !slot->is_closing))
      models.push_back(slot->use);
  }
  return models;
}

// True when something was done, so that all is to be looked at anew.
bool ModelRegistry::unload_next(Lock& lock) {
  const nanoseconds now = clock_.now();
  for (const auto& [id, slot] : slots_) {
    if (slot->state != Slot::State::kLoaded || slot->use.users > 0) continue;
    const auto end = expiry(slot->use);
    if (!slot->is_closing && !(end && *end <= now)) continue;
    std::shared_ptr<const ServedModel> model = std::move(slot->model);
    if (slot->waiters.empty()) {
      slots_.erase(slots_.find(id));
    } else {
      slot->state = Slot::State::kQueued;
      slot->is_closing = false;
      queue_.push_back(slot);
    }
    lock.unlock();
    model.reset();  // takes as long as its engine needs to stop
    lock.lock();
    return true;
  }
  return false;
}

bool ModelRegistry::load_next(Lock& lock) {
  if (queue_.empty()) return false;
  const std::shared_ptr<Slot> slot = queue_.front();
  if (!slot->needed) {
    plan(slot, lock);
    return true;
  }
  const std::uint64_t needed = *slot->needed;
  const Room room = make_room(residents(/*with_closing=*/false), needed, options_.memory);
  if (!room.is_possible) {
    fail_load(slot, does_not_fit(slot->id(), needed, options_.memory, room.pinned_bytes));
    return true;
  }
  for (const std::string& id : room.unload) slots_.find(id)->second->is_closing = true;
  if (!room.unload.empty()) return true;
  // Those that are going still have their memory.
  if (!make_room(residents(/*with_closing=*/true), needed, options_.memory).unload.empty()) return false;
  load(slot, lock);
  return true;
}

void ModelRegistry::plan(const std::shared_ptr<Slot>& slot, Lock& lock) {
  lock.unlock();
  const Result<std::uint64_t> needed = options_.source->needed_bytes(slot->id());
  lock.lock();
  if (std::ranges::find(queue_, slot) == queue_.end()) return;  // nobody waits any more
  if (!needed) return fail_load(slot, needed.error());
  slot->needed = *needed;
}

void ModelRegistry::load(const std::shared_ptr<Slot>& slot, Lock& lock) {
  queue_.pop_front();
  slot->state = Slot::State::kLoading;
  slot->stop = std::stop_source();
  const std::stop_token stop = slot->stop.get_token();
  lock.unlock();
  auto model = options_.source->load(slot->id(), stop);
  lock.lock();
  if (model) return finish_load(slot, *model);
  if (!retry_load(slot, model.error())) fail_load(slot, model.error());
}

void ModelRegistry::finish_load(const std::shared_ptr<Slot>& slot,
                                const std::shared_ptr<const ServedModel>& model) {
  slot->model = model;
  slot->state = Slot::State::kLoaded;
  slot->use.bytes = *slot->needed;
  slot->use.keep_alive = options_.keep_alive;
  slot->use.last_use = clock_.now();
  waiting_ -= slot->waiters.size();
  for (std::shared_ptr<Waiter>& waiter : std::exchange(slot->waiters, {})) {
    if (waiter->keep_alive) slot->use.keep_alive = keep_alive_limit(waiter->keep_alive);
    NamedModel named = lend(slot, waiter->name, /*is_use=*/true);
    later_->post([waiter = std::move(waiter), named = std::move(named)]() mutable {
      waiter->found(std::move(named));
    });
  }
}

// Whether it is to be loaded once more: others came for it after it was given up, or there is something left
// to unload where the machine had less memory than was planned with.
bool ModelRegistry::retry_load(const std::shared_ptr<Slot>& slot, const Error& error) {
  if (ending_ || slot->waiters.empty()) return false;
  if (error.kind == ErrorKind::kDoesNotFit) {
    std::shared_ptr<Slot> oldest;
    for (const auto& [id, other] : slots_) {
      const bool may_go = other->is_there() && !other->use.is_pinned && other->use.users == 0;
      if (may_go && (oldest == nullptr || other->use.last_use < oldest->use.last_use)) oldest = other;
    }
    if (oldest == nullptr) return false;
    oldest->is_closing = true;
  } else if (error.kind != ErrorKind::kInterrupted) {
    return false;
  }
  slot->state = Slot::State::kQueued;
  queue_.push_front(slot);
  return true;
}

void ModelRegistry::fail_load(const std::shared_ptr<Slot>& slot, const Error& error) {
  const bool is_stopped = error.kind == ErrorKind::kInterrupted;
  if (!is_stopped && options_.on_failure) options_.on_failure(slot->id(), error.message);
  fail_load(slot, is_stopped ? ApiError{.code = ApiErrorCode::kShuttingDown} : from_source(error));
}

void ModelRegistry::fail_load(const std::shared_ptr<Slot>& slot, const ApiError& error) {
  std::erase(queue_, slot);
  waiting_ -= slot->waiters.size();
  for (std::shared_ptr<Waiter>& waiter : std::exchange(slot->waiters, {}))
    later_->post([waiter = std::move(waiter), error] { waiter->found(std::unexpected(error)); });
  if (slot->state != Slot::State::kLoaded) slots_.erase(slot->id());
}

}  // namespace carat::server
