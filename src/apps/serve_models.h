#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "apps/runtime.h"
#include "apps/store_models.h"
#include "base/result.h"
#include "server/model_registry.h"
#include "server/served_model.h"

namespace carat::apps {

// Which models a server has, by its settings: those that it loads at the start and keeps, and those that it
// loads when they are asked for.
class ServeModels {
 public:
  // kUsage for a --keep-alive that is none.
  static Result<ServeModels> create(const Runtime& runtime);

  // `on_failure`: of loads on demand.
  server::RegistryOptions options(
      std::function<void(std::string_view id, std::string_view message)> on_failure) const;

  // Loads those that stay; the adapters are the first one's. Errors as open_model's.
  Result<> load_pinned(const Runtime& runtime, const std::vector<std::string>& adapters,
                       server::ModelRegistry& registry) const;

 private:
  std::vector<std::string> pinned_;    // names or paths; empty: the store's default
  server::ImageDecoder decode_image_;  // of all of them
  server::RegistryOptions options_;
  std::shared_ptr<StoreModels> source_;  // null: nothing is loaded on demand
};

// "gemma-3-4b (4096 of context, ...)", for the line that says what is served.
std::string describe(const server::ModelRegistry& registry);

}  // namespace carat::apps
