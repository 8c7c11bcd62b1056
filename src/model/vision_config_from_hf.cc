#include <boost/json/value_to.hpp>
#include <cmath>

#include "formats/json.h"
#include "model/read_vision_config.h"

namespace carat::model {
namespace {

using formats::JsonObject;

// Defaults of the reference's SiglipVisionConfig, and of its Gemma 3 processor.
constexpr std::size_t kDefaultWidth = 768;
constexpr std::size_t kDefaultFfn = 3072;
constexpr std::size_t kDefaultLayers = 12;
constexpr std::size_t kDefaultHeads = 12;
constexpr std::size_t kDefaultImageSize = 224;
constexpr std::size_t kDefaultPatchSize = 16;
constexpr std::size_t kDefaultTokens = 256;

Result<std::size_t> count_or(const JsonObject& object, std::string_view name, std::size_t otherwise) {
  CARAT_TRY(const auto value, object.find_u64(name));
  return value ? static_cast<std::size_t>(*value) : otherwise;
}

// Settings of the class that no Gemma 3 has.
Result<> check_supported(const JsonObject& vision) {
  CARAT_TRY(const auto activation, vision.find_string("hidden_act"));
  if (activation && *activation != "gelu_pytorch_tanh") {
    return vision.invalid("hidden_act", "expected gelu_pytorch_tanh, found {}", *activation);
  }
  CARAT_TRY(const std::size_t channels, count_or(vision, "num_channels", 3));
  if (channels != 3) return vision.invalid("num_channels", "expected 3, found {}", channels);
  return {};
}

Result<> read_channels(const JsonObject& object, std::string_view name, std::array<float, 3>& channels) {
  CARAT_TRY(const boost::json::array* values, object.find_array(name));
  if (values == nullptr) return {};
  if (values->size() != channels.size()) {
    return object.invalid(name, "expected 3 numbers, found {} elements", values->size());
  }
  for (std::size_t i = 0; i < channels.size(); ++i) {
    if (!(*values)[i].is_number()) return object.invalid(name, "element {} is no number", i);
    channels[i] = (*values)[i].to_number<float>();
  }
  return {};
}

}  // namespace

Result<VisionConfig> vision_config_from_hf(const VisionJson& json, std::size_t d_model) {
  CARAT_TRY(const formats::JsonDocument document,
            formats::JsonDocument::parse(json.config, json.config_file));
  const JsonObject root = document.root();
  CARAT_TRY(const JsonObject vision, root.get_object("vision_config"));
  CARAT_TRY_VOID(check_supported(vision));
  VisionConfig config;
  config.d_model = d_model;
  CARAT_TRY(config.image_size, count_or(vision, "image_size", kDefaultImageSize));
  CARAT_TRY(config.patch_size, count_or(vision, "patch_size", kDefaultPatchSize));
  CARAT_TRY(config.width, count_or(vision, "hidden_size", kDefaultWidth));
  CARAT_TRY(config.layers, count_or(vision, "num_hidden_layers", kDefaultLayers));
  CARAT_TRY(config.heads, count_or(vision, "num_attention_heads", kDefaultHeads));
  CARAT_TRY(config.ffn, count_or(vision, "intermediate_size", kDefaultFfn));
  CARAT_TRY(const auto epsilon, vision.find_f32("layer_norm_eps"));
  config.norm_epsilon = epsilon.value_or(config.norm_epsilon);
  CARAT_TRY(const std::size_t tokens, count_or(root, "mm_tokens_per_image", kDefaultTokens));
  config.tokens_per_side = static_cast<std::size_t>(std::sqrt(static_cast<double>(tokens)));
  if (!json.preprocessor.empty()) {
    CARAT_TRY(const formats::JsonDocument processor,
              formats::JsonDocument::parse(json.preprocessor, json.preprocessor_file));
    CARAT_TRY_VOID(read_channels(processor.root(), "image_mean", config.mean));
    CARAT_TRY_VOID(read_channels(processor.root(), "image_std", config.std));
  }
  CARAT_TRY_VOID(validate(config, json.config_file));
  return config;
}

}  // namespace carat::model
