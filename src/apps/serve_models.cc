#include "apps/serve_models.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "apps/model_plan.h"
#include "apps/open_model.h"
#include "apps/serve_model.h"
#include "server/keep_alive.h"

namespace carat::apps {

using config::Setting;

Result<ServeModels> ServeModels::create(const Runtime& runtime) {
  const config::Settings& settings = runtime.settings;
  const auto keep_alive = server::parse_keep_alive(settings.text(Setting::kKeepAlive));
  if (!keep_alive) {
    return fail(ErrorKind::kUsage, "--keep-alive: expected a duration such as 5m or 1h30m, found '{}'",
                settings.text(Setting::kKeepAlive));
  }
  ServeModels models;
  models.decode_image_ = served_image_decoder(runtime);
  const std::vector<std::string> on_demand = settings.list(Setting::kModels);
  // Whoever says which models are loaded on demand, and none to begin with, means none.
  if (const std::string first = settings.text(Setting::kModel); on_demand.empty() || !first.empty())
    models.pinned_.push_back(first);
  for (std::string& name : settings.list(Setting::kPin)) models.pinned_.push_back(std::move(name));
  if (!on_demand.empty())
    models.source_ = std::make_shared<StoreModels>(runtime, on_demand, models.decode_image_);

  server::RegistryOptions& options = models.options_;
  options.aliases = settings.list(Setting::kAlias);
  options.pinned = models.pinned_.size();
  options.source = models.source_;
  if (const auto mebibytes = settings.integer(Setting::kModelMemory)) {
    options.memory = static_cast<std::uint64_t>(*mebibytes) << 20;
  } else {
    options.memory = memory_here().value_or(UINT64_MAX);
  }
  options.keep_alive = *keep_alive;
  options.most_waiting = static_cast<std::size_t>(settings.integer(Setting::kMaxQueue).value());
  return models;
}

server::RegistryOptions ServeModels::options(
    std::function<void(std::string_view, std::string_view)> on_failure) const {
  server::RegistryOptions options = options_;
  options.on_failure = std::move(on_failure);
  return options;
}

Result<> ServeModels::load_pinned(const Runtime& runtime, const std::vector<std::string>& adapters,
                                  server::ModelRegistry& registry) const {
  bool is_first = true;
  for (const std::string& name : pinned_) {
    Runtime own = is_first ? runtime : runtime_for(runtime, name);
    CARAT_TRY(const std::filesystem::path path, find_model(own));
    CARAT_TRY(auto model, open_model(own, {.conversations = served_conversations(own),
                                           .adapters = is_first ? adapters : std::vector<std::string>()}));
    if (!is_first) limit_context(own, *model);
    CARAT_TRY(const std::uint64_t bytes, served_bytes(own, path));
    const std::string id = model_id(path);
    CARAT_TRY(auto served, serve_model(own, std::move(model), path, id, decode_image_));
    if (source_ != nullptr) source_->claim(path, id);
    registry.set(std::move(served), bytes);
    is_first = false;
  }
  return {};
}

std::string describe(const server::ModelRegistry& registry) {
  std::string text;
  for (const server::LoadedModelView& view : registry.loaded()) {
    const engine::Capabilities engine = view.model->engine->capabilities();
    text +=
        fmt::format("{}{} ({} of context)", text.empty() ? "" : ", ", view.model->id, engine.context_length);
  }
  return text.empty() ? "models on demand" : text;
}

}  // namespace carat::apps
