#include "parallel/thread_pool.h"

#include "base/check.h"

namespace carat::parallel {
namespace {

// Tens of microseconds (a pause takes 15 to 50 ns): longer than the serial stretch between two bursts of a
// forward pass, short enough that an idle program, or a machine with other work, loses nothing.
constexpr int kSpins = 2'000;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

// Delegates, so that the destructor ends the workers that had started when a later one cannot.
ThreadPool::ThreadPool(std::size_t threads) : ThreadPool() {
  CARAT_CHECK(threads >= 1);
  workers_.reserve(threads - 1);
  for (std::size_t thread = 1; thread < threads; ++thread) {
    workers_.emplace_back([this, thread] { work_until_stopped(thread); });
  }
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run_burst(const Burst& burst) {
  burst_ = burst;
  next_task_.store(0, std::memory_order_relaxed);
  busy_workers_.store(workers_.size(), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  take_tasks(0);
  for (int spin = 0; busy_workers_.load(std::memory_order_acquire) != 0; ++spin) {
    if (spin < kSpins) {
      relax();
    } else {
      std::this_thread::yield();  // a worker lost its core; the others have work to do
    }
  }
}

void ThreadPool::take_tasks(std::size_t thread) {
  for (;;) {
    const std::size_t task = next_task_.fetch_add(1, std::memory_order_relaxed);
    if (task >= burst_.tasks) return;
    burst_.call(burst_.context, task, thread);
  }
}

void ThreadPool::work_until_stopped(std::size_t thread) {
  std::uint32_t seen = 0;
  for (;;) {
    for (int spin = 0; generation_.load(std::memory_order_acquire) == seen; ++spin) {
      if (spin < kSpins) {
        relax();
      } else {
        generation_.wait(seen, std::memory_order_acquire);
      }
    }
    ++seen;
    if (stopping_.load(std::memory_order_relaxed)) return;
    take_tasks(thread);
    busy_workers_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace carat::parallel
