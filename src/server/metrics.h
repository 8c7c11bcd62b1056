#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "engine/engine.h"
#include "engine/generation.h"
#include "http/server_options.h"

namespace carat::server {

// A loaded model, for metrics.
struct ModelStatus {
  std::string name;
  engine::EngineStatus engine;
};

// What operators watch, in Prometheus's text format. The names are vLLM's with carat_ before them, so that
// its dashboards need no other change; docs/operations.md lists them. Labels are of bounded number: the
// models, the routes' patterns, the statuses. Threads may share it.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // One finished choice. Takes microseconds: the engine waits meanwhile.
  void record(std::string_view model, const engine::GenerationResult& result);

  // One answered request.
  void record(const http::AccessEntry& entry);

  // All of it as of now, in the text format, version 0.0.4.
  std::string text(std::span<const ModelStatus> models) const;

  static constexpr std::string_view kMediaType = "text/plain; version=0.0.4; charset=utf-8";
  static constexpr std::size_t kMostModels = 64;  // the next ones are told together, as "other"

 private:
  struct Families;

  // The label of a model.
  std::string label_of(std::string_view model);

  std::unique_ptr<Families> families_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> models_;
};

}  // namespace carat::server
