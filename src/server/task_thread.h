#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace carat::server {

// A thread that runs tasks in order, for threads that must not wait themselves. Tasks must not throw.
class TaskThread {
 public:
  explicit TaskThread(std::size_t most_waiting);
  ~TaskThread();  // after all tasks
  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;

  // False, and the task is dropped, when too many are waiting.
  bool post(std::function<void()> task);

 private:
  void run();

  const std::size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace carat::server
