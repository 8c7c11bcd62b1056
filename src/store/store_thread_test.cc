#include "store/store_thread.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "store/test_store.h"

namespace carat::store {
namespace {

using formats::is_error;

constexpr const char* kAlice = "alice";

class StoreThreadTest : public testing::Test {
 protected:
  std::unique_ptr<StoreThread> start(const StoreThread::Options& options = {}) {
    return std::make_unique<StoreThread>(must(open_sqlite_store(folder_.path("carat.db"), clock_)), options);
  }
  static auto create(const std::string& title) {
    return [title](Store& store) { return store.conversations().create(kAlice, {.title = title}, {}); };
  }

  formats::TestFolder folder_;
  TestWallClock clock_;
};

TEST_F(StoreThreadTest, AnswersCallsOfManyThreads) {
  const auto thread = start();
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int i = 0; i < 10; ++i) EXPECT_TRUE(thread->submit(create("x")).get());
    });
  }
  for (std::thread& caller : callers) caller.join();
  const auto page =
      thread->submit([](Store& store) { return store.conversations().list(kAlice, 100, {}); }).get();
  EXPECT_EQ(must(page).conversations.size(), 40U);
}

TEST_F(StoreThreadTest, CallsBackOnItsOwnThreadInOrder) {
  const auto thread = start();
  std::vector<int> order;  // of the store's thread alone until it is stopped
  std::thread::id where;
  for (int i = 0; i < 20; ++i) {
    thread->post(create("x"), [&, i](const Result<Appended>& made) {
      EXPECT_TRUE(made);
      order.push_back(i);
      where = std::this_thread::get_id();
    });
  }
  thread->stop();
  ASSERT_EQ(order.size(), 20U);
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST_F(StoreThreadTest, AnswersWhatWaitsWhenStoppedAndRefusesWhatComesLater) {
  const auto thread = start();
  std::promise<void> release;
  auto held = thread->submit([&](Store&) -> Result<> {
    release.get_future().wait();
    return {};
  });
  std::vector<std::future<Result<Appended>>> waiting;
  for (int i = 0; i < 5; ++i) waiting.push_back(thread->submit(create("x")));
  std::thread stopping([&] { thread->stop(); });
  release.set_value();
  stopping.join();
  EXPECT_TRUE(held.get());
  for (auto& answer : waiting) EXPECT_TRUE(answer.get());
  EXPECT_TRUE(is_error(thread->submit(create("x")).get(), ErrorKind::kBusy, {"stopping"}));
}

TEST_F(StoreThreadTest, RefusesCallsBeyondWhatMayWait) {
  const auto thread = start({.most_waiting = 2});
  std::promise<void> started;
  std::promise<void> release;
  auto held = thread->submit([&](Store&) -> Result<> {
    started.set_value();
    release.get_future().wait();
    return {};
  });
  started.get_future().wait();
  auto first = thread->submit(create("a"));
  auto second = thread->submit(create("b"));
  EXPECT_TRUE(is_error(thread->submit(create("c")).get(), ErrorKind::kBusy, {"too many"}));
  release.set_value();
  EXPECT_TRUE(held.get() && first.get() && second.get());
  EXPECT_TRUE(thread->submit(create("d")).get());
}

TEST_F(StoreThreadTest, SweepsWhatHasExpired) {
  const auto store = must(open_sqlite_store(folder_.path("carat.db"), clock_));
  must(store->conversations().create(kAlice, {.title = "old", .expires = clock_.time}, {}));
  const auto thread = start({.sweep_period = std::chrono::nanoseconds(1)});
  // Each call is followed by a sweep; the second is answered after that.
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(thread->submit([](Store&) { return Result<>(); }).get());
  EXPECT_EQ(must(store->sweep()).conversations, 0);
}

TEST_F(StoreThreadTest, TellsOfAFailedSweep) {
  class Broken final : public Store {
   public:
    ConversationStore& conversations() override { std::abort(); }
    BlobStore& blobs() override { std::abort(); }
    ResponseStore& responses() override { std::abort(); }
    IdempotencyStore& idempotency() override { std::abort(); }
    KeyStore& keys() override { std::abort(); }
    Result<SweepCounts> sweep() override { return fail(ErrorKind::kDiskFull, "full"); }
  };
  std::promise<ErrorKind> told;
  std::once_flag once;
  StoreThread thread(std::make_unique<Broken>(), {.sweep_period = std::chrono::nanoseconds(1),
                                                  .on_sweep_failure = [&](const Error& error) {
                                                    std::call_once(once, [&] { told.set_value(error.kind); });
                                                  }});
  EXPECT_EQ(told.get_future().get(), ErrorKind::kDiskFull);
}

}  // namespace
}  // namespace carat::store
