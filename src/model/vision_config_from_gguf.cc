#include <algorithm>
#include <cmath>
#include <optional>

#include "model/read_vision_config.h"

namespace carat::model {
namespace {

using formats::GgufFile;

// Sides of the squares of patches that become one soft token, where the file does not say.
constexpr std::size_t kDefaultPool = 4;
constexpr std::uint32_t kDefaultTokens = 256;

Result<> expect_string(const GgufFile& file, std::string_view key, std::string_view expected) {
  CARAT_TRY(const std::string found, file.get_string(key));
  if (found == expected) return {};
  return fail(ErrorKind::kInvalidModel, "{}: {}: expected {}, found {}", file.name(), key, expected, found);
}

Result<> read_channels(const GgufFile& file, std::string_view key, std::array<float, 3>& channels) {
  if (!file.is_array(key)) return {};
  CARAT_TRY(const std::vector<float> values, file.get_f32_array(key));
  if (values.size() != channels.size()) {
    return fail(ErrorKind::kInvalidModel, "{}: {}: expected 3 elements, found {}", file.name(), key,
                values.size());
  }
  std::ranges::copy(values, channels.begin());
  return {};
}

// The fields that both kinds of file have, below their prefix.
Result<VisionConfig> read_shape(const GgufFile& file, std::string_view prefix) {
  const auto key = [prefix](std::string_view name) { return fmt::format("{}{}", prefix, name); };
  VisionConfig config;
  CARAT_TRY(config.image_size, file.get_u32(key("image_size")));
  CARAT_TRY(config.patch_size, file.get_u32(key("patch_size")));
  CARAT_TRY(config.width, file.get_u32(key("embedding_length")));
  CARAT_TRY(config.layers, file.get_u32(key("block_count")));
  CARAT_TRY(config.heads, file.get_u32(key("attention.head_count")));
  CARAT_TRY(config.ffn, file.get_u32(key("feed_forward_length")));
  CARAT_TRY(const auto epsilon, file.find_f32(key("attention.layer_norm_epsilon")));
  config.norm_epsilon = epsilon.value_or(config.norm_epsilon);
  CARAT_TRY_VOID(read_channels(file, key("image_mean"), config.mean));
  CARAT_TRY_VOID(read_channels(file, key("image_std"), config.std));
  return config;
}

std::size_t patches_per_side(const VisionConfig& config) {
  return config.patch_size == 0 ? 0 : config.patches_per_side();
}

}  // namespace

Result<VisionConfig> vision_config_from_mmproj(const GgufFile& file) {
  CARAT_TRY_VOID(expect_string(file, "general.architecture", "clip"));
  // Files with more than one encoder name the projector of each.
  CARAT_TRY(const auto vision_type, file.find_string("clip.vision.projector_type"));
  CARAT_TRY_VOID(
      expect_string(file, vision_type ? "clip.vision.projector_type" : "clip.projector_type", "gemma3"));
  for (const auto& [key, expected] : {std::pair{"clip.has_vision_encoder", true}, {"clip.use_gelu", true}}) {
    CARAT_TRY(const auto flag, file.find_bool(key));
    if (flag && *flag != expected) {
      return fail(ErrorKind::kInvalidModel, "{}: {}: expected {}, found {}", file.name(), key, expected,
                  *flag);
    }
  }
  CARAT_TRY(VisionConfig config, read_shape(file, "clip.vision."));
  CARAT_TRY(config.d_model, file.get_u32("clip.vision.projection_dim"));
  CARAT_TRY(const auto pool, file.find_u32("clip.vision.projector.scale_factor"));
  const std::size_t side = patches_per_side(config);
  const std::size_t divisor = pool ? *pool : kDefaultPool;
  if (divisor == 0 || side % divisor != 0) {
    return fail(ErrorKind::kInvalidModel,
                "{}: clip.vision.projector.scale_factor: {} does not divide the {} patches of a side",
                file.name(), divisor, side);
  }
  config.tokens_per_side = side / divisor;
  CARAT_TRY_VOID(validate(config, file.name()));
  return config;
}

Result<VisionConfig> vision_config_from_ollama(const GgufFile& file, std::size_t d_model) {
  CARAT_TRY(VisionConfig config, read_shape(file, "gemma3.vision."));
  config.d_model = d_model;
  CARAT_TRY(const auto tokens, file.find_u32("gemma3.mm.tokens_per_image"));
  config.tokens_per_side = static_cast<std::size_t>(std::sqrt(tokens.value_or(kDefaultTokens)));
  CARAT_TRY_VOID(validate(config, file.name()));
  return config;
}

}  // namespace carat::model
