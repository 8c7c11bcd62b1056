#include "server/task_thread.h"

#include <utility>

namespace carat::server {

TaskThread::TaskThread(std::size_t most_waiting) : most_waiting_(most_waiting), thread_([this] { run(); }) {}

TaskThread::~TaskThread() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool TaskThread::post(std::function<void()> task) {
  {
    const std::scoped_lock lock(mutex_);
    if (tasks_.size() >= most_waiting_) return false;
    tasks_.push_back(std::move(task));
    changed_.notify_one();  // under the lock: once the task runs, this object may go
  }
  return true;
}

void TaskThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it holds may be the last of its kind, and must not go under the lock
    lock.lock();
  }
}

}  // namespace carat::server
