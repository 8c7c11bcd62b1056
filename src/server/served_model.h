#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "chat/prompt_style.h"
#include "engine/engine.h"
#include "prompt/adapter_use.h"
#include "prompt/image.h"
#include "prompt/sampling_params.h"

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
  std::string name = {};                                    // empty: the default model
  std::optional<std::chrono::nanoseconds> keep_alive = {};  // after this request; max(): for good
};

// A model, and the name that answers call it by. It stays loaded for as long as somebody holds it.
struct NamedModel {
  std::shared_ptr<const ServedModel> model = {};
  std::string name = {};
};

}  // namespace carat::server
