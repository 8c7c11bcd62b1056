#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "server/api_error.h"
#include "server/model_source.h"
#include "server/residency.h"
#include "server/served_model.h"
#include "server/task_thread.h"

namespace carat::server {

struct RegistryOptions {
  // "NAME": another name of the default model, "NAME=MODEL": of that one, "*": every name means the default.
  std::vector<std::string> aliases = {};
  std::size_t pinned = 1;                         // set() calls before anything is served
  std::shared_ptr<ModelSource> source = nullptr;  // null: what set() brings is all there is
  std::uint64_t memory = UINT64_MAX;              // bytes of all models together
  std::optional<std::chrono::nanoseconds> keep_alive =
      std::chrono::minutes(5);     // nullopt: while there is room
  std::size_t most_waiting = 256;  // requests, for models to load
  // What went wrong with a load, for the log. May be empty.
  std::function<void(std::string_view id, std::string_view message)> on_failure = {};
};

// A loaded model, as lists show it.
struct LoadedModelView {
  std::shared_ptr<const ServedModel> model;
  bool is_pinned = false;
  std::uint64_t bytes = 0;  // of memory, as planned
  std::optional<std::chrono::nanoseconds> remaining =
      {};  // until it goes if nobody uses it; nullopt: no limit
};

// What a name means.
struct ModelName {
  std::string id;
  std::string name;  // in answers
};

// The models of this process: loads them when they are asked for, on a thread of its own, and unloads the
// ones that were not used for long when memory or their time is over. See docs/decisions/models-on-demand.md.
//
// Whoever is given a model holds it by that pointer: it is unloaded once the last one is gone. Such a pointer
// must not go on a thread of the model's engine. Threads may share the registry.
class ModelRegistry {
 public:
  using Found = std::function<void(ApiResult<NamedModel>)>;

  ModelRegistry(RegistryOptions options, const Clock& clock);
  ~ModelRegistry();
  ModelRegistry(const ModelRegistry&) = delete;
  ModelRegistry& operator=(const ModelRegistry&) = delete;

  // A model that stays, and takes the place of one of the same id. The first is the default.
  void set(std::shared_ptr<const ServedModel> model, std::uint64_t bytes = 0);

  // Calls `found` with the model of that name, with or without ":latest"; an empty one is the default
  // model's. At once where the model is loaded or there is an error, otherwise on a thread of the registry's,
  // and not at all when `stop` is requested before. kModelNotFound; kModelLoading before the pinned ones are
  // there; kModelDoesNotFit, with the numbers; kOverloaded when too many wait; kOutOfMemory; kInternal for a
  // model that cannot be loaded. A failed load is tried again by the next request.
  void acquire(const ModelWish& wish, const std::stop_token& stop, Found found);

  // Unloads the model of that name once nobody uses it: false where it is pinned. kModelNotFound.
  ApiResult<bool> unload(std::string_view name);

  // The model of that name, without loading it; errors as acquire's. Reads the disk.
  ApiResult<ModelName> resolve(std::string_view name) const;

  bool is_ready() const;                          // all pinned ones are there
  std::vector<LoadedModelView> loaded() const;    // by id, the default first
  std::vector<CatalogueModel> catalogue() const;  // what can be loaded and is not; reads the disk
  std::vector<std::string> aliases_of(std::string_view id) const;

  // Ends a load, and with kShuttingDown those who wait for one; returns when none of them runs. Nothing is
  // loaded or unloaded from here on. Before whatever `found` refers to goes.
  void close();

  // Looks whose time is over; the registry does so by itself as long as its clock goes on by itself.
  void look_at_clock();

 private:
  struct Waiter;
  struct Slot;
  using Lock = std::unique_lock<std::mutex>;
  std::optional<ModelName> resolve_here(std::string_view name) const;
  std::optional<ModelName> resolve_in_source(std::string_view name) const;

  // All below under the lock; those that get it let go of it meanwhile.
  NamedModel lend(const std::shared_ptr<Slot>& slot, std::string name, bool is_use) const;
  void wait_for_load(const ModelName& target, const std::shared_ptr<Waiter>& waiter);
  bool unload_next(Lock& lock);
  bool load_next(Lock& lock);
  void plan(const std::shared_ptr<Slot>& slot, Lock& lock);
  bool has_room_for(const std::shared_ptr<Slot>& slot);
  void load(const std::shared_ptr<Slot>& slot, Lock& lock);
  void finish_load(const std::shared_ptr<Slot>& slot, const std::shared_ptr<const ServedModel>& model);
  bool retry_load(const std::shared_ptr<Slot>& slot, const Error& error);
  void fail_load(const std::shared_ptr<Slot>& slot, const ApiError& error);
  void fail_load(const std::shared_ptr<Slot>& slot, const Error& error);
  std::vector<Resident> residents(bool with_closing) const;

  void give_back(Slot& slot, bool is_use) const;
  void cancel(const std::shared_ptr<Slot>& slot, const Waiter* waiter);
  void run();

  const RegistryOptions options_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // of everything below
  mutable std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Slot>, std::less<>> slots_;
  std::deque<std::shared_ptr<Slot>> queue_;  // to load, in order
  std::string default_;
  std::size_t set_ = 0;  // pinned models there are
  std::size_t waiting_ = 0;
  bool ending_ = false;
  std::unique_ptr<TaskThread> later_;  // on which those go on who waited; null after close()
  std::thread thread_;                 // last: it uses the others
};

}  // namespace carat::server
