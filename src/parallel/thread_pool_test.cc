#include "parallel/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace carat::parallel {
namespace {

TEST(ThreadPool, RunsEveryTaskOnceOnAThreadOfTheTeam) {
  for (const std::size_t threads : {1U, 2U, 3U, 7U}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const std::size_t tasks : {0U, 1U, 2U, 5U, 1000U}) {
      std::vector<std::atomic<int>> runs(tasks);
      std::atomic<std::size_t> largest_thread = 0;
      pool.run(tasks, [&](std::size_t task, std::size_t thread) {
        runs[task].fetch_add(1);
        for (std::size_t seen = largest_thread;
             thread > seen && !largest_thread.compare_exchange_weak(seen, thread);) {
        }
      });
      for (const std::atomic<int>& count : runs) EXPECT_EQ(count.load(), 1);
      EXPECT_LT(largest_thread.load(), threads);
    }
  }
}

// One pool for many bursts of every size: neither an early task nor the last one is lost or done twice.
TEST(ThreadPool, BurstsOfAnySizeFollowOneAnother) {
  for (const std::size_t threads : {2U, 3U, 4U}) {
    ThreadPool pool(threads);
    std::vector<unsigned char> runs(1000, 0);
    for (std::size_t tasks = 0; tasks <= runs.size(); tasks += tasks < 40 ? 1 : 37) {
      pool.run(tasks, [&](std::size_t task, std::size_t) { ++runs[task]; });
      for (std::size_t task = 0; task < runs.size(); ++task) {
        ASSERT_EQ(runs[task], task < tasks ? 1 : 0) << "task " << task << " of " << tasks;
        runs[task] = 0;
      }
    }
  }
}

TEST(ThreadPool, WorkOfABurstIsVisibleToTheNextAndToTheCaller) {
  ThreadPool pool(3);
  std::vector<std::size_t> values(64, 0);  // plain memory: a race would show under TSan
  for (std::size_t burst = 0; burst < 300; ++burst) {
    pool.run(values.size(), [&](std::size_t task, std::size_t) { values[task] += task; });
  }
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], 300 * i);
}

TEST(ThreadPool, RunReturnsOnlyWhenTheSlowestTaskIsDone) {
  ThreadPool pool(2);
  for (int burst = 0; burst < 20; ++burst) {
    std::atomic<int> begun = 0;
    std::atomic<int> done = 0;
    pool.run(2, [&](std::size_t, std::size_t thread) {
      begun.fetch_add(1);
      while (begun.load() < 2) std::this_thread::yield();
      for (int i = 0; thread == 1 && i < 100; ++i) std::this_thread::yield();  // the worker is the slow one
      done.fetch_add(1);
    });
    EXPECT_EQ(done.load(), 2);
  }
}

TEST(ThreadPool, ThreadNumbersAreNeverSharedAtOneTime) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> inside(pool.size());
  std::atomic<bool> shared = false;
  pool.run(1000, [&](std::size_t, std::size_t thread) {
    if (inside[thread].fetch_add(1) != 0) shared = true;
    std::this_thread::yield();
    inside[thread].fetch_sub(1);
  });
  EXPECT_FALSE(shared.load());
}

TEST(ThreadPool, AllThreadsTakePart) {
  ThreadPool pool(2);
  for (int burst = 0; burst < 20; ++burst) {
    // Each of two tasks waits until the other has begun, so one thread alone could not finish.
    std::atomic<int> begun = 0;
    pool.run(2, [&](std::size_t, std::size_t) {
      begun.fetch_add(1);
      while (begun.load() < 2) std::this_thread::yield();
    });
    EXPECT_EQ(begun.load(), 2);
  }
}

}  // namespace
}  // namespace carat::parallel
