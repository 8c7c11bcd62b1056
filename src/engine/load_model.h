#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "engine/adapter_set.h"
#include "engine/vision_loader.h"
#include "model/adapter_file.h"
#include "model/checkpoint.h"
#include "model/model.h"
#include "prompt/adapter_use.h"
#include "tokenizer/tokenizer.h"

namespace carat::engine {

// Everything that generation needs of one model, ready to run.
struct LoadedModel {
  std::string path;
  std::unique_ptr<backend::Backend> backend;  // declared before the model, which refers to it
  std::unique_ptr<model::Model> model;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
  std::string name;  // general.name or the file's name
  AdapterSet adapters;
  std::vector<prompt::AdapterUse> default_adapters;  // those that were asked for when it was loaded
  std::unique_ptr<VisionLoader> vision;              // null: the model is text-only
  std::string vision_remark;  // why a projector file beside it was not taken; else empty
  std::string chat_template;  // raw text of the file, empty when it has none; only ever looked at, never run
};

// An adapter to be loaded with a model.
struct AdapterToLoad {
  model::AdapterFile file;
  float weight = 1.0F;
};

struct LoadOptions {
  model::CheckpointOptions checkpoint = {};
  model::VisionPrecision vision_precision = model::VisionPrecision::kInt8;
  std::vector<AdapterToLoad> adapters = {};
  // Asked once the files are open and before anything large is read, e.g. whether the model fits into memory;
  // its error is load_model's.
  std::function<Result<>(const model::Checkpoint&)> admit = {};
};

// The tokenizer that a checkpoint brings. Errors are those of Checkpoint::vocabulary and of the tokenizer.
Result<std::shared_ptr<const tokenizer::Tokenizer>> load_tokenizer(const model::Checkpoint& checkpoint);

// Opens a checkpoint (GGUF file, first shard or safetensors folder) and its tokenizer, and packs the weights
// for `backend`; an image tower is packed when it is needed. Errors are those of Checkpoint::open, the
// tokenizer, Model::load and Adapter::load.
Result<std::unique_ptr<LoadedModel>> load_model(const std::string& path,
                                                std::unique_ptr<backend::Backend> backend,
                                                const model::LoadProgress& progress,
                                                const std::stop_token& stop, const LoadOptions& options = {});

}  // namespace carat::engine
