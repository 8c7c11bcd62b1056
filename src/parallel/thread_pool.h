#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace carat::parallel {

// A fixed team of threads that share short bursts of work. The caller of run() is one of the team, so a pool
// of one starts no thread. Workers spin for a moment between bursts, since a forward pass has hundreds, and
// then sleep. run() is not re-entrant and has one caller at a time.
class ThreadPool {
 public:
  // `threads` is at least 1. Throws std::system_error when the system gives fewer.
  explicit ThreadPool(std::size_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t size() const { return workers_.size() + 1; }

  // Calls work(task, thread) once for each task in [0, tasks), in no particular order; returns when all are
  // done. thread < size() says who runs it, for per-thread scratch. Tasks are handed out one at a time, so a
  // slow core takes fewer.
  template <class Work>
  void run(std::size_t tasks, Work&& work) {
    if (tasks <= 1 || workers_.empty()) {
      for (std::size_t task = 0; task < tasks; ++task) work(task, std::size_t{0});
      return;
    }
    auto call = [](void* context, std::size_t task, std::size_t thread) {
      (*static_cast<std::remove_reference_t<Work>*>(context))(task, thread);
    };
    run_burst({call, &work, tasks});
  }

 private:
  ThreadPool() = default;

  struct Burst {
    void (*call)(void* context, std::size_t task, std::size_t thread) = nullptr;
    void* context = nullptr;
    std::size_t tasks = 0;
  };
  void run_burst(const Burst& burst);
  void take_tasks(std::size_t thread);
  void work_until_stopped(std::size_t thread);

  Burst burst_;
  alignas(64) std::atomic<std::uint32_t> generation_{0};  // counts bursts; workers wait for a change
  alignas(64) std::atomic<std::size_t> next_task_{0};
  alignas(64) std::atomic<std::size_t> busy_workers_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

}  // namespace carat::parallel
