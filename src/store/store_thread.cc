#include "store/store_thread.h"

#include <utility>

namespace carat::store {

StoreThread::StoreThread(std::unique_ptr<Store> store, std::size_t most_waiting)
    : most_waiting_(most_waiting), store_(std::move(store)), thread_([this] { run(); }) {}

StoreThread::~StoreThread() { stop(); }

bool StoreThread::enqueue(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= most_waiting_) return false;
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
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task(*store_);
  }
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
