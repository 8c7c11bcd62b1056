#include "store/store_thread.h"

#include <utility>

namespace carat::store {

using std::chrono::steady_clock;

StoreThread::StoreThread(std::unique_ptr<Store> store, Options options)
    : options_(std::move(options)),
      next_sweep_(steady_clock::now() + options_.sweep_period),
      store_(std::move(store)),
      thread_([this] { run(); }) {}

StoreThread::~StoreThread() { stop(); }

bool StoreThread::enqueue(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= options_.most_waiting) return false;
    waiting_.push_back(std::move(task));
  }
  changed_.notify_one();
  return true;
}

Error StoreThread::refusal() {
  return {ErrorKind::kBusy, "the store is stopping, or too many calls wait for it; try again"};
}

void StoreThread::run() {
  while (true) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_until(lock, next_sweep_, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_ && waiting_.empty()) return;
      if (!waiting_.empty()) {
        task = std::move(waiting_.front());
        waiting_.pop_front();
      }
    }
    if (task) task(*store_);
    if (steady_clock::now() >= next_sweep_) sweep();
  }
}

void StoreThread::sweep() {
  const auto swept = store_->sweep();
  if (!swept && options_.on_sweep_failure) options_.on_sweep_failure(swept.error());
  next_sweep_ = steady_clock::now() + options_.sweep_period;
}

void StoreThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  store_.reset();
}

}  // namespace carat::store
