#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "http/router.h"
#include "server/access.h"
#include "server/generation_run.h"
#include "server/health.h"
#include "server/metrics.h"
#include "server/model_registry.h"
#include "server/served_model.h"
#include "server/task_thread.h"
#include "store/store_thread.h"

namespace carat::server {

// What the routes work with. Goes after the HTTP server has stopped, and waits for the requests that the
// engine has not ended yet. Nobody else may then hold one of its engines.
struct ServerContext {
  ServerContext(AccessOptions access_options, RegistryOptions registry, const Clock& engine_clock)
      : access(std::move(access_options)), models(std::move(registry), engine_clock), health(engine_clock) {}

  ~ServerContext() {
    models.close();  // first: who waits there would begin to run
    runs.wait_for_none();
    if (store != nullptr) store->stop();
  }
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

  std::unique_ptr<store::StoreThread> store;  // null: nothing is kept
  RunCount runs;
  TaskThread tasks{SIZE_MAX};  // before the others: they may leave it work to do when they go
  Access access;
  ModelRegistry models;
  Health health;
  Metrics metrics;
  std::string version;
  std::function<std::int64_t()> unix_time;  // seconds since 1970
  std::function<void(std::string_view request_id, std::string_view message)> on_failure = {};

  // How long responses are kept; none: until they are deleted.
  std::optional<std::chrono::seconds> response_lifetime = {};

  // Whose rows of the store a request sees: whoever needs no key is this machine's user.
  store::OwnerId store_owner(const http::ServerRequest& request) const {
    store::OwnerId owner = access.owner_of(request);
    return owner.empty() ? store::OwnerId(store::kLocalOwner) : owner;
  }

  RunEnvironment run_environment() {
    const auto on_result = [this](const ServedModel& model, const engine::GenerationResult& result) {
      metrics.record(model.id, result);
    };
    return {.runs = runs, .tasks = tasks, .on_result = on_result, .on_failure = on_failure};
  }
};

}  // namespace carat::server
