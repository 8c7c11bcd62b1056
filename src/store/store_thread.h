#pragma once

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/result.h"
#include "store/store.h"

namespace carat::store {

// Runs calls to a store on one thread of its own, in the order in which they came; now and then it deletes
// there what has expired.
class StoreThread {
 public:
  struct Options {
    std::size_t most_waiting = 10'000;
    std::chrono::nanoseconds sweep_period = std::chrono::minutes(5);
    std::function<void(const Error&)> on_sweep_failure = {};  // on the store's thread; may be empty
  };

  explicit StoreThread(std::unique_ptr<Store> store) : StoreThread(std::move(store), Options()) {}
  StoreThread(std::unique_ptr<Store> store, Options options);
  ~StoreThread();  // stop()
  StoreThread(const StoreThread&) = delete;
  StoreThread& operator=(const StoreThread&) = delete;

  // call(Store&) returns a Result<T>, which `done` gets: on the store's thread, or at once on this one with
  // kBusy when too many calls wait or the thread was stopped. `done` must not wait for the store.
  template <std::invocable<Store&> Call, class Done>
  void post(Call call, Done done) {
    using Answer = std::invoke_result_t<Call, Store&>;
    auto task = std::make_shared<std::pair<Call, Done>>(std::move(call), std::move(done));
    const bool queued = enqueue([task](Store& store) { task->second(task->first(store)); });
    if (!queued) task->second(Answer(std::unexpected(refusal())));
  }

  // The same with a future, for threads that may wait.
  template <std::invocable<Store&> Call>
  std::future<std::invoke_result_t<Call, Store&>> submit(Call call) {
    using Answer = std::invoke_result_t<Call, Store&>;
    auto promise = std::make_shared<std::promise<Answer>>();
    post(std::move(call), [promise](Answer answer) { promise->set_value(std::move(answer)); });
    return promise->get_future();
  }

  // Takes no more calls, answers all that wait, then closes the store.
  void stop();

 private:
  using Task = std::function<void(Store&)>;

  bool enqueue(Task task);  // false: refused, and the task was not kept
  static Error refusal();
  void run();
  void sweep();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> waiting_;  // under mutex_
  bool stopping_ = false;     // under mutex_
  const Options options_;
  std::chrono::steady_clock::time_point next_sweep_;  // of the store's thread
  std::unique_ptr<Store> store_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace carat::store
