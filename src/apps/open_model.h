#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/runtime.h"
#include "backend/backend.h"
#include "base/result.h"
#include "chat/prompt_style.h"
#include "engine/engine.h"
#include "engine/load_model.h"
#include "hub/model_caches.h"
#include "hub/model_store.h"
#include "tensor/kv_block.h"

namespace carat::apps {

hub::ModelStore model_store(const Runtime& runtime);

// Where other programs of this user keep their models.
hub::CacheFolders cache_folders();

// The path of the model that -m, CARAT_MODEL or config.toml name, or of the store's default. What the
// store does not have is looked for in the caches of other programs, by the name that `carat models` shows.
Result<std::filesystem::path> find_model(const Runtime& runtime);

// Threads of -t, otherwise as many as this process may use.
std::size_t thread_count(const Runtime& runtime);

// The backend with the threads, instruction set and activations that the settings ask for.
Result<std::unique_ptr<backend::Backend>> make_backend(const Runtime& runtime);

// What a command does with a model. It is checked before any weight is read.
struct ModelUse {
  std::optional<std::size_t> context_length = {};               // nullopt: that of the settings
  std::size_t conversations = 1;                                // of that length in the KV cache
  std::size_t logit_rows = 1;                                   // rows of one step whose logits are wanted
  std::vector<std::string> adapters = {};                       // of --lora
  bool sees_images = true;                                      // false: an image tower stays in its file
  bool needs_images = false;                                    // true: a text-only model is refused
  std::optional<model::VisionPrecision> vision_precision = {};  // nullopt: that of the settings
};

// Finds and loads that model, showing progress; Ctrl-C gives kInterrupted. Before any weight is
// read, kDoesNotFit when this machine has no room for it, and kUsage when it cannot do what it is wanted for.
Result<std::unique_ptr<engine::LoadedModel>> open_model(Runtime& runtime, const ModelUse& use = {});

// Where --mmproj says that the image tower is.
model::CheckpointOptions checkpoint_options(const Runtime& runtime);
model::VisionPrecision vision_precision(const Runtime& runtime);

tensor::KvType kv_type(const Runtime& runtime);

// An engine with the context and KV type that the settings ask for, for one conversation.
// `conversations`: of full length, as many as the KV cache has room for.
Result<std::unique_ptr<engine::Engine>> make_engine(const Runtime& runtime, engine::LoadedModel& model,
                                                    std::size_t conversations = 1);

// The settings, with the style's own temperature where nobody chose one.
config::Settings settings_for(const Runtime& runtime, chat::PromptStyle style);

// The style that --style names, or the one that suits the model.
chat::PromptStyle prompt_style(const Runtime& runtime, const engine::LoadedModel& model);

}  // namespace carat::apps
