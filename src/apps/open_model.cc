#include "apps/open_model.h"

#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "apps/lora_option.h"
#include "apps/model_plan.h"
#include "backend/cpu/cpu_backend.h"
#include "engine/local_engine.h"
#include "engine/prompt_tokens.h"
#include "parallel/topology.h"
#include "planner/weights.h"
#include "terminal/progress_line.h"

namespace carat::apps {
namespace {

using config::Setting;

// Whether the model can be used so, by its headers alone.
Result<> admit(const Runtime& runtime, const model::Checkpoint& checkpoint, const ModelUse& use,
               std::uint64_t adapter_bytes) {
  if (use.needs_images && checkpoint.vision() == nullptr) {
    return std::unexpected(engine::sees_nothing(checkpoint.path(), checkpoint.vision_remark()));
  }
  return require_memory(runtime, checkpoint, use, adapter_bytes);
}

}  // namespace

hub::ModelStore model_store(const Runtime& runtime) {
  return hub::ModelStore(runtime.directories.data / "models");
}

hub::CacheFolders cache_folders() {
  const auto environment = [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  return hub::CacheFolders::from_environment(environment, environment("HOME").value_or("/nonexistent"));
}

Result<std::filesystem::path> find_model(const Runtime& runtime) {
  const std::string name = runtime.settings.text(Setting::kModel);
  if (name.empty()) return model_store(runtime).find_default();
  auto found = model_store(runtime).find(name);
  if (found || found.error().kind != ErrorKind::kNotFound) return found;
  for (const hub::CachedModel& model : hub::cached_models(cache_folders())) {
    if (model.name == name) return model.path;
  }
  return found;
}

std::size_t thread_count(const Runtime& runtime) {
  const auto threads = runtime.settings.integer(Setting::kThreads);
  return threads ? static_cast<std::size_t>(*threads) : parallel::usable_threads();
}

Result<std::unique_ptr<backend::Backend>> make_backend(const Runtime& runtime) {
  backend::CpuOptions options;
  options.threads = thread_count(runtime);
  options.level = runtime.settings.text(Setting::kCpu);
  options.exact_activations = runtime.settings.is_on(Setting::kExactActivations);
  return backend::make_cpu_backend(options);
}

Result<std::unique_ptr<engine::LoadedModel>> open_model(Runtime& runtime, const ModelUse& use) {
  CARAT_TRY(const std::filesystem::path path, find_model(runtime));
  CARAT_TRY(std::vector<engine::AdapterToLoad> adapters, open_adapters(use.adapters));
  std::uint64_t adapter_bytes = 0;
  for (const engine::AdapterToLoad& adapter : adapters) adapter_bytes += planner::adapter_bytes(adapter.file);
  CARAT_TRY(auto backend, make_backend(runtime));

  terminal::ProgressLine line(runtime.clock, progress_writer());
  const auto progress = [&](std::uint64_t done, std::uint64_t total) {
    line.update("loading the model", done, total);
  };
  return engine::load_model(path.string(), std::move(backend), progress, runtime.interrupts.token(),
                            {.checkpoint = checkpoint_options(runtime),
                             .vision_precision = use.vision_precision.value_or(vision_precision(runtime)),
                             .adapters = std::move(adapters),
                             .admit = [&](const model::Checkpoint& checkpoint) {
                               return admit(runtime, checkpoint, use, adapter_bytes);
                             }});
}

model::CheckpointOptions checkpoint_options(const Runtime& runtime) {
  return {.mmproj = runtime.settings.text(Setting::kMmproj)};
}

model::VisionPrecision vision_precision(const Runtime& runtime) {
  const std::string name = runtime.settings.text(Setting::kVisionPrecision);
  if (name == "f32") return model::VisionPrecision::kF32;
  return name == "bf16" ? model::VisionPrecision::kBf16 : model::VisionPrecision::kInt8;
}

tensor::KvType kv_type(const Runtime& runtime) {
  const std::string name = runtime.settings.text(Setting::kKvType);
  if (name == "f32") return tensor::KvType::kF32;
  return name == "bf16" ? tensor::KvType::kBF16 : tensor::KvType::kF16;
}

Result<std::unique_ptr<engine::Engine>> make_engine(const Runtime& runtime, engine::LoadedModel& model,
                                                    std::size_t conversations) {
  engine::LocalEngineOptions options;
  options.conversations = conversations;
  options.max_waiting = static_cast<std::size_t>(runtime.settings.integer(Setting::kMaxQueue).value());
  options.kv_type = kv_type(runtime);
  options.image_cache.folder = runtime.directories.cache / "images";
  options.context_length = context_length(runtime, model.model->config());
  return engine::LocalEngine::create(model, options, runtime.clock);
}

config::Settings settings_for(const Runtime& runtime, chat::PromptStyle style) {
  config::Settings settings = runtime.settings;
  config::Settings::Entry temperature = settings.entry(config::Setting::kTemperature);
  if (temperature.origin != config::Origin::kDefault) return settings;
  temperature.value = chat::default_temperature(style);
  temperature.where = fmt::format("default of the {} style", chat::name_of(style));
  settings.set(config::Setting::kTemperature, std::move(temperature));
  return settings;
}

chat::PromptStyle prompt_style(const Runtime& runtime, const engine::LoadedModel& model) {
  if (const auto style = chat::find_prompt_style(runtime.settings.text(Setting::kStyle))) return *style;
  return model.model->config().instruction_tuned ? chat::PromptStyle::kGemma : chat::PromptStyle::kDialogue;
}

}  // namespace carat::apps
