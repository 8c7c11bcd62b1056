#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "engine/testing/scripted_engine.h"
#include "server/model_source.h"

namespace carat::server {

// Models without files, whose engines follow a script. Tests say which there are, hold loads up and let them
// fail; what they wait for is counted, not timed.
class TestModelSource final : public ModelSource {
 public:
  void add(const std::string& id, std::uint64_t bytes, engine::Script script = {}) {
    const std::scoped_lock lock(mutex_);
    models_[id] = {bytes, std::move(script)};
  }
  void remove(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    models_.erase(id);
  }
  // Loads of that model wait for release(), or for their stop.
  void hold(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    held_.insert(id);
  }
  void release(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    held_.erase(id);
    changed_.notify_all();
  }
  void fail_next(const std::string& id, Error error) {
    const std::scoped_lock lock(mutex_);
    errors_[id].push_back(std::move(error));
  }

  void wait_for_plan(const std::string& id) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return planned_.contains(id); });
  }
  void wait_for_load(const std::string& id) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return std::ranges::find(loads_, id) != loads_.end(); });
  }
  void wait_for_stop(const std::string& id) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_.contains(id); });
  }
  void wait_for_alive(int count) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return alive_ == count; });
  }

  std::vector<std::string> loads() const {
    const std::scoped_lock lock(mutex_);
    return loads_;
  }
  int alive() const {
    const std::scoped_lock lock(mutex_);
    return alive_;
  }
  int most_alive() const {
    const std::scoped_lock lock(mutex_);
    return most_alive_;
  }

  std::vector<CatalogueModel> list() override {
    const std::scoped_lock lock(mutex_);
    std::vector<CatalogueModel> list;
    for (const auto& [id, model] : models_) {
      list.push_back({.id = id,
                      .facts = {.bytes = model.bytes,
                                .modified = 1'600'000'000,
                                .digest = std::string(64, 'b'),
                                .format = "gguf",
                                .precision = "Q4_0",
                                .parameters = 1'000'000'000},
                      .context_length = 2048,
                      .images = false,
                      .instruction_tuned = true});
    }
    return list;
  }
  Result<std::string> resolve(const std::string& name) override {
    const std::scoped_lock lock(mutex_);
    if (!models_.contains(name)) return fail(ErrorKind::kNotFound, "there is no '{}'", name);
    return name;
  }
  Result<std::uint64_t> needed_bytes(const std::string& id) override {
    const std::scoped_lock lock(mutex_);
    if (!models_.contains(id)) return fail(ErrorKind::kNotFound, "there is no '{}' any more", id);
    planned_.insert(id);
    changed_.notify_all();
    return models_[id].bytes;
  }
  Result<std::shared_ptr<const ServedModel>> load(const std::string& id,
                                                  const std::stop_token& stop) override {
    std::unique_lock lock(mutex_);
    loads_.push_back(id);
    changed_.notify_all();
    changed_.wait(lock, stop, [&] { return !held_.contains(id); });
    if (stop.stop_requested()) {
      stopped_.insert(id);
      changed_.notify_all();
      return fail(ErrorKind::kInterrupted, "stopped");
    }
    if (auto errors = errors_.find(id); errors != errors_.end() && !errors->second.empty()) {
      Error error = std::move(errors->second.front());
      errors->second.erase(errors->second.begin());
      return std::unexpected(std::move(error));
    }
    ++alive_;
    most_alive_ = std::max(most_alive_, alive_);
    auto model = std::make_unique<ServedModel>();
    model->id = id;
    model->engine = std::make_shared<engine::ScriptedEngine>(models_[id].script);
    return std::shared_ptr<const ServedModel>(model.release(), [this](const ServedModel* gone) {
      delete gone;
      const std::scoped_lock counting(mutex_);
      --alive_;
      changed_.notify_all();
    });
  }

 private:
  struct Model {
    std::uint64_t bytes = 0;
    engine::Script script = {};
  };
  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::map<std::string, Model> models_;
  std::set<std::string> held_;
  std::set<std::string> planned_;
  std::set<std::string> stopped_;
  std::map<std::string, std::vector<Error>> errors_;
  std::vector<std::string> loads_;
  int alive_ = 0;
  int most_alive_ = 0;
};

}  // namespace carat::server
