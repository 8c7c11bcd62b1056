#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/prompt_style.h"
#include "engine/engine.h"
#include "prompt/adapter_use.h"
#include "prompt/image.h"
#include "prompt/sampling_params.h"
#include "server/api_error.h"

namespace carat::server {

// Decodes the bytes of a picture file. May take seconds; errors as images::Decoder's.
using ImageDecoder = std::function<Result<std::shared_ptr<const prompt::Picture>>(
    std::span<const std::byte> file, const std::stop_token& stop)>;

// What catalogues say of a model's files.
struct ModelFacts {
  std::uint64_t bytes = 0;
  std::int64_t modified = 0;   // seconds since 1970
  std::string digest = {};     // 64 hexadecimal digits that change when the files do
  std::string format = {};     // "gguf", "safetensors"
  std::string precision = {};  // "Q4_K_M"
  std::uint64_t parameters = 0;
};

// One model as the routes see it.
struct ServedModel {
  std::string id;  // its name in the API; never a path
  std::shared_ptr<engine::Engine> engine;
  chat::PromptStyle style = chat::PromptStyle::kGemma;
  prompt::SamplingParams sampling = {};  // where a request says nothing
  std::string fingerprint = {};          // changes when the same request and seed may give another text
  std::int64_t created = 0;              // seconds since 1970
  ModelFacts facts = {};
  std::vector<prompt::AdapterUse> adapters = {};  // of every answer
  ImageDecoder decode_image = {};                 // empty: pictures are refused
  bool pan_and_scan = false;                      // for pictures whose "detail" is "auto"
};

// What a request wants of the models.
struct ModelWish {
  std::string name;  // empty: the default model
};

// A model, and the name that answers call it by.
struct NamedModel {
  std::shared_ptr<const ServedModel> model;
  std::string name;
};

// Which models there are. Threads may share it.
class ModelDirectory {
 public:
  // `aliases`: other names of the model; "*" is every name.
  explicit ModelDirectory(std::vector<std::string> aliases) : aliases_(std::move(aliases)) {}

  // From here on requests are answered.
  void set(std::shared_ptr<const ServedModel> model);

  // The model of that name, with or without ":latest"; an empty one is the only model's. kModelNotFound, or
  // kModelLoading before set().
  ApiResult<NamedModel> find(std::string_view name) const;

  std::shared_ptr<const ServedModel> model() const;  // null before set()

  // All names under which the model can be asked for, its own first; empty before set().
  std::vector<std::string> names() const;

 private:
  const std::vector<std::string> aliases_;
  mutable std::mutex mutex_;
  std::shared_ptr<const ServedModel> model_;
};

}  // namespace carat::server
