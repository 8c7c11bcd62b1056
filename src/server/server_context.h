#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "http/router.h"
#include "server/access.h"
#include "server/generation_run.h"
#include "server/health.h"
#include "server/served_model.h"
#include "server/task_thread.h"

namespace carat::server {

// What the routes work with. Lives until the HTTP server has stopped; when it goes, nobody else may hold one
// of its engines, whose requests end with them.
struct ServerContext {
  ServerContext(AccessOptions access_options, std::vector<std::string> aliases, const Clock& engine_clock)
      : access(std::move(access_options)), models(std::move(aliases)), health(engine_clock) {}

  TaskThread tasks{SIZE_MAX};  // first: the others may leave it work to do when they go
  Access access;
  ModelDirectory models;
  Health health;
  std::string version;
  std::function<std::int64_t()> unix_time;  // seconds since 1970
  std::function<void(const engine::GenerationResult&)> on_result = {};
  std::function<void(std::string_view request_id, std::string_view message)> on_failure = {};

  RunEnvironment run_environment() {
    return {.tasks = tasks, .on_result = on_result, .on_failure = on_failure};
  }
};

}  // namespace carat::server
